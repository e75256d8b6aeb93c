// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class OptionTests
{
    [Fact]
    public async Task EveryOptionIsAlsoAVariable()
    {
        var typed = new Typed
        {
            ["NOMADSTACK_DATA_DIR"] = "/data",
            ["NOMADSTACK_BIND"] = "10.0.0.7",
            ["NOMADSTACK_NAME"] = "n7",
            ["NOMADSTACK_ENGINE"] = "nomad",
            ["NOMADSTACK_JOIN"] = "10.0.0.1:4640",
            ["NOMADSTACK_TOKEN_FILE"] = "/token",
            ["NOMADSTACK_NOMAD_PROGRAM"] = "/opt/nomad",
            ["NOMADSTACK_CONSUL_PROGRAM"] = "/opt/consul",
            ["NOMADSTACK_PORT"] = "peers=14640, nomad-client-http=14646",
        };

        (await typed.RunAsync("agent")).ShouldBe(0);

        var asked = typed.Started.ShouldNotBeNull();
        asked.ShouldBe(new AgentOptions("/data", "10.0.0.7", "n7", 3, "nomad", asked.Without, "10.0.0.1:4640", "/token", asked.Programs, asked.Ports));
        asked.Without.ShouldBeEmpty();
        asked.Programs.ShouldBe(new Dictionary<string, string> { [Role.Nomad] = "/opt/nomad", [Role.Consul] = "/opt/consul" }, ignoreOrder: true);
        asked.PortsOver(new PortPlan()).ShouldBe(new PortPlan { Peers = 14640 }.With(Role.Row(Role.Nomad).Port(ProductPort.Client, ProductPort.Http), 14646));
    }

    [Fact]
    public async Task TheCommandLineWinsOverTheEnvironment()
    {
        var typed = new Typed { ["NOMADSTACK_ENGINE"] = "nomad", ["NOMADSTACK_NAME"] = "n7" };

        await typed.RunAsync("agent", "--engine", "embedded", "--port", "peers=1", "--port=peers=2");

        typed.Started!.Engine.ShouldBe("embedded");
        typed.Started.Name.ShouldBe("n7");
        typed.Started.Ports["peers"].ShouldBe(2);
    }

    [Fact]
    public async Task AWrongVariableIsRefusedByItsName()
    {
        var typed = new Typed { ["NOMADSTACK_ENGINE"] = "docker" };

        (await typed.RunAsync("agent")).ShouldBe(2);

        typed.Error.ToString().ShouldContain("NOMADSTACK_ENGINE: \"docker\" is not one of auto, nomad, embedded.");
    }

    [Fact]
    public async Task JsonAndWaitListenToTheEnvironmentToo()
    {
        await using var host = await AgentHost.StartAsync();
        var typed = new Typed { ["NOMADSTACK_DATA_DIR"] = host.Paths.Data, ["NOMADSTACK_JSON"] = "1", ["NOMADSTACK_FOR"] = "healthy" };

        (await typed.RunAsync("wait")).ShouldBe(0);

        typed.Out.ToString().ShouldStartWith("{");
    }

    [Fact]
    public async Task BootstrapAsksForWhatWasTyped()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("bootstrap", "x") with { State = Operation.Finished });

        await new Typed().RunAsync("bootstrap", "--servers", "5", "--no-consul", "--data-dir", host.Paths.Data);

        var asked = host.Agent.Asked.ShouldHaveSingleItem().ShouldBeOfType<BootstrapRequest>();
        asked.Servers.ShouldBe(5);
        asked.Without.ShouldBe([Role.Consul]);
    }

    [Fact]
    public async Task DrainAsksForWhatWasTyped()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("drain", "x"));

        (await new Typed().RunAsync("node", "drain", "n 1", "--disable", "--deadline", "1h30m", "--detach", "--data-dir", host.Paths.Data)).ShouldBe(0);

        host.Agent.Asked.ShouldBe([("n 1", new DrainRequest(true, 5400))]);
    }

    [Fact]
    public void EveryPortOfThePlanHasAName()
    {
        var plan = new PortPlan();
        for (var i = 0; i < PortNames.All.Count; i++) plan = PortNames.All.Values.ElementAt(i)(plan, 20000 + i);

        var values = plan.Named.Values.ToList();
        values.Count.ShouldBe(1 + ProductTable.Known.Stack.Sum(p => p.Ports.Count));
        values.ShouldAllBe(v => v >= 20000);
        values.ShouldBeUnique();
    }

    [Theory]
    [InlineData("120s", 120)]
    [InlineData("2m", 120)]
    [InlineData("1h30m", 5400)]
    [InlineData("1.5h", 5400)]
    [InlineData("250ms", 0.25)]
    [InlineData("1d", 86400)]
    [InlineData("0s", 0)]
    public void ReadsSpansOfTime(string text, double seconds)
    {
        Duration.TryParse(text, out var span).ShouldBeTrue();
        span.TotalSeconds.ShouldBe(seconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("12")]
    [InlineData("s")]
    [InlineData("1x")]
    [InlineData("-1s")]
    [InlineData("1h 30m")]
    [InlineData("99999999999d")]
    public void RefusesWhatIsNoSpanOfTime(string text) => Duration.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData(2.13, "2.1 s")]
    [InlineData(9.96, "10 s")]
    [InlineData(59.4, "59 s")]
    [InlineData(65, "1 m 05 s")]
    [InlineData(12000, "3 h 20 m")]
    [InlineData(-3, "0.0 s")]
    public void ShowsSpansOfTime(double seconds, string text) => Duration.Show(TimeSpan.FromSeconds(seconds)).ShouldBe(text);
}
