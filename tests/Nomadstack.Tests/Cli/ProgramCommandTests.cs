// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Api;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class ProgramCommandTests
{
    [Fact]
    public async Task PassesEveryArgumentUntouched()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = With(["/opt/nomad", "engine"]);
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "nomad", "alloc", "exec", "--help", "--json", "--data-dir", "x", "--", "@y", "-h")).ShouldBe(42);

        typed.Became!.Program.ShouldBe("/opt/nomad");
        typed.Became.Arguments.ShouldBe(["engine", "alloc", "exec", "--help", "--json", "--data-dir", "x", "--", "@y", "-h"]);
        typed.Became.Variables.ShouldBe(new Dictionary<string, string> { ["NOMAD_ADDR"] = "http://127.0.0.1:4646" });
        typed.Out.ToString().ShouldBeEmpty();
    }

    [Fact]
    public async Task EnvPrintsWhatPointsOtherToolsAtTheCluster()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = FakeAgentService.At("http://127.0.0.1:4646", "http://127.0.0.1:8500");
        var (shell, json) = (new Typed(), new Typed());

        (await shell.RunAsync("--data-dir", host.Paths.Data, "env")).ShouldBe(0);
        (await json.RunAsync("--data-dir", host.Paths.Data, "--json", "env")).ShouldBe(0);

        shell.Out.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["export NOMAD_ADDR=http://127.0.0.1:4646", "export CONSUL_HTTP_ADDR=http://127.0.0.1:8500"]);
        json.Out.ToString().Trim().ShouldBe("""{"NOMAD_ADDR":"http://127.0.0.1:4646","CONSUL_HTTP_ADDR":"http://127.0.0.1:8500"}""");
    }

    [Fact]
    public async Task TheEmbeddedEngineHasNoCommandLineAndTheErrorSaysWhatToUse()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = With([]);
        var typed = new Typed();

        (await typed.RunAsync("--data-dir", host.Paths.Data, "nomad", "status")).ShouldBe(1);

        typed.Error.ToString().ShouldContain("embedded engine");
        typed.Error.ToString().ShouldContain("nomadstack env");
    }

    [Fact]
    public async Task TheClusterIsNotAskedThroughAProxy()
    {
        await using var host = await AgentHost.StartAsync();
        var typed = new Typed { ["http_proxy"] = "http://192.0.2.9:3128", ["NO_PROXY"] = ".corp" };

        await typed.RunAsync("--data-dir", host.Paths.Data, "nomad", "status");

        typed.Became!.Variables["NO_PROXY"].ShouldBe(".corp,127.0.0.1");
        typed.Became.Variables["no_proxy"].ShouldBe(".corp,127.0.0.1");
    }

    [Fact]
    public async Task AnAddressOfTheUsersStays()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = FakeAgentService.At("http://127.0.0.1:4646", null);
        var typed = new Typed { ["CONSUL_HTTP_ADDR"] = "elsewhere:8500", ["NOMADSTACK_DATA_DIR"] = host.Paths.Data };

        (await typed.RunAsync("consul")).ShouldBe(42);

        typed.Became!.Variables.ShouldBeEmpty();
        typed.Became.Arguments.ShouldBeEmpty();
    }

    [Fact]
    public async Task WithoutConsulOrClusterItSaysSo()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = new(new Dictionary<string, ProductEndpoint> { [Role.Nomad] = new(null, ["nomad"]) });
        var (consul, nomad) = (new Typed(), new Typed());

        (await consul.RunAsync("--data-dir", host.Paths.Data, "consul", "members")).ShouldBe(1);
        (await nomad.RunAsync("--data-dir", host.Paths.Data, "nomad", "status")).ShouldBe(1);

        consul.Error.ToString().ShouldContain("This cluster has no consul.");
        nomad.Error.ToString().ShouldContain("nomadstack bootstrap");
        nomad.Became.ShouldBeNull();
    }

    [Fact]
    public async Task TheProcessBecomesTheProgram()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Where = With(["sh", "-c", "echo $$ $NOMAD_ADDR \"$@\"; exit 7", "sh"]);
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(Program).Assembly.Location, "nomad", "a b", "--help"])
        {
            RedirectStandardOutput = true,
            Environment = { ["NOMADSTACK_DATA_DIR"] = host.Paths.Data, ["NOMAD_ADDR"] = "" },
        })!;

        var line = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));

        line.ShouldBe($"{process.Id} http://127.0.0.1:4646 a b --help\n");
        process.ExitCode.ShouldBe(7);
    }

    private static Endpoints With(string[] program) => new(new Dictionary<string, ProductEndpoint> { [Role.Nomad] = new("http://127.0.0.1:4646", program, new Dictionary<string, string> { ["NOMAD_ADDR"] = "http://127.0.0.1:4646" }) });
}
