// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Storage;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class WaitTests
{
    [Fact]
    public async Task QuorumIsALeaderInEveryRole()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        var degraded = healthy with { Cluster = healthy.Cluster with { State = "degraded", Reason = "n3 is away." } };
        host.Agent.Status = degraded;
        (await new Typed().RunAsync("wait", "--for", "quorum", "--timeout", "5s", "--data-dir", host.Paths.Data)).ShouldBe(0);

        host.Agent.Status = degraded with { Servers = [.. degraded.Servers.Select(s => s.Role == "consul" ? s with { Leader = false } : s)] };
        (await new Typed().RunAsync("wait", "--for", "quorum", "--timeout", "100ms", "--data-dir", host.Paths.Data)).ShouldBe(3);
    }

    /// <summary>A cluster is healthy at one of one while others are about to join.</summary>
    [Theory]
    [InlineData("--servers", "9")]
    [InlineData("--nodes", "9")]
    public async Task HealthyMayBeAskedForWithASize(string option, string more)
    {
        await using var host = await AgentHost.StartAsync();
        (await new Typed().RunAsync("wait", "--for", "healthy", option, "1", "--timeout", "5s", "--data-dir", host.Paths.Data)).ShouldBe(0);
        var typed = new Typed();

        (await typed.RunAsync("wait", "--for", "healthy", option, more, "--timeout", "200ms", "--data-dir", host.Paths.Data)).ShouldBe(3);

        typed.Error.ToString().ShouldContain("of 9");
        (await new Typed().RunAsync("wait", "--for", "quorum", option, "1", "--data-dir", host.Paths.Data)).ShouldBe(2);
    }

    [Fact]
    public async Task AnAgentThatStartsMeanwhileIsWaitedFor()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        var waiting = new Typed().RunAsync("wait", "--for", "healthy", "--timeout", "15s", "--data-dir", paths.Data);

        await using var host = await AgentHost.StartAsync(paths: paths);

        (await waiting).ShouldBe(0);
    }

    [Fact]
    public async Task GoneIsNoAgentAndNoneOfItsProcesses()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
        (await new Typed().RunAsync("wait", "--for", "gone", "--timeout", "5s", "--data-dir", paths.Data)).ShouldBe(0);

        using var left = Process.Start("sleep", ["60"]);
        var ticks = File.ReadAllText($"/proc/{left.Id}/stat").Split(' ')[21];
        Directory.CreateDirectory(paths.Processes);
        await File.WriteAllTextAsync(Path.Combine(paths.Processes, "nomad-client.json"), $$"""{"schema":1,"process":{"pid":{{left.Id}},"startTicks":{{ticks}},"bootId":"b"} }""");
        var typed = new Typed();
        (await typed.RunAsync("wait", "--for", "gone", "--timeout", "300ms", "--data-dir", paths.Data)).ShouldBe(3);
        typed.Error.ToString().ShouldContain($"nomad-client (pid {left.Id})");

        left.Kill();
        (await new Typed().RunAsync("wait", "--for", "gone", "--timeout", "5s", "--data-dir", paths.Data)).ShouldBe(0);
        Directory.Delete(paths.Data, recursive: true);
    }
}
