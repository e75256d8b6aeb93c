// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Cli.Output;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class StatusTests
{
    /// <summary>The names other tools rely on: fields may be added, never renamed.</summary>
    private static readonly string[] s_names =
    [
        "schema", "node.name", "node.id", "node.address", "node.version",
        "cluster.id", "cluster.state", "cluster.reason", "cluster.desiredServers",
        "cluster.security", "cluster.certificates[].product", "cluster.certificates[].kind", "cluster.certificates[].ends", "cluster.certificates[].state",
        "engine.nomad.kind", "engine.nomad.version", "engine.consul.kind", "engine.consul.version",
        "servers[].role", "servers[].node", "servers[].address", "servers[].managedBy", "servers[].state", "servers[].voter", "servers[].leader", "servers[].healthy", "servers[].pid",
        "nodes[].name", "nodes[].address", "nodes[].agent", "nodes[].nomad", "nodes[].consul", "nodes[].eligible",
        "operations[].kind", "operations[].step", "operations[].state", "operations[].reason",
    ];

    [Fact]
    public async Task JsonHasTheNamesThatToolsRelyOnAndStandsAlone()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with
        {
            Operations = [FakeAgentService.Running("drain", "move", "waits")],
            Cluster = healthy.Cluster with { Certificates = [new("nomad", "ca", DateTimeOffset.UnixEpoch.AddYears(66), "fine")] },
        };
        var typed = new Typed();

        (await typed.RunAsync("status", "--json", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Error.ToString().ShouldBeEmpty();
        using var document = JsonDocument.Parse(typed.Out.ToString());
        var names = Names(document.RootElement, "").Distinct().ToList();
        s_names.Except(names).ShouldBeEmpty();
        document.RootElement.GetProperty("schema").GetInt32().ShouldBe(1);
        document.RootElement.GetProperty("servers")[0].GetProperty("pid").GetInt32().ShouldBe(123);
        document.RootElement.GetProperty("tolerates")[0].GetProperty("failures").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task AProgramThatIsThereAndNotUsedIsShownWithTheCommandThatTakesIt()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Engine = new Dictionary<string, EngineVersion>(healthy.Engine) { [Role.Nomad] = new("nomad", "1.9.2") { Offered = new("1.10.5", "/usr/bin/nomad") } } };
        var (status, use) = (new Typed { Width = 200 }, new Typed());

        await status.RunAsync("status", "--data-dir", host.Paths.Data);
        (await use.RunAsync("program", "use", "nomad", "--data-dir", host.Paths.Data)).ShouldBe(0);

        status.Out.ToString().ReplaceLineEndings(" ").ShouldContain("Nomad 1.10.5 at /usr/bin/nomad is not used; this node goes on with 1.9.2. `nomadstack program use nomad` takes it.");
        host.Agent.Asked.ShouldContain((Role.Nomad, (string?)null));
        use.Error.ToString().ShouldContain("Nomad 1.10.5 instead of 1.9.2");
    }

    [Theory]
    [InlineData("ca", "fine", null)]
    [InlineData("node", "fine", null)]
    [InlineData("ca", "ends-soon", "Nomad's authority ends on 2026-01-22, in 20 d 0 h, and does not renew itself. See `nomadstack doctor`.")]
    [InlineData("node", "overdue", "This node's certificate for Nomad should have been renewed. It ends on 2026-01-22, in 20 d 0 h. See `nomadstack doctor`.")]
    [InlineData("ca", "urgent", "ALARM: Nomad's authority ends on 2026-01-22, in 20 d 0 h. Act now, or its holders refuse each other then. See `nomadstack doctor`.")]
    [InlineData("ca", "ended", "ALARM: Nomad's authority ended on 2026-01-22. See `nomadstack doctor`.")]
    [InlineData("node", "not-yet-valid", "ALARM: This node's certificate for Nomad is not valid yet by this machine's clock. See `nomadstack doctor`.")]
    [InlineData("node", "unreadable", "This node's certificate for Nomad is unreadable. See `nomadstack doctor`.")]
    [InlineData("node", "a word of a newer agent", "This node's certificate for Nomad is a word of a newer agent. See `nomadstack doctor`.")]
    public void ACertificateIsWorthALineOnlyWhenAPersonMustAct(string kind, string state, string? line)
    {
        var healthy = FakeAgentService.Healthy();
        var written = new StringWriter();

        StatusText.Write(written, healthy with { Cluster = healthy.Cluster with { Certificates = [new("nomad", kind, FakeAgentService.Then.AddDays(20), state)] } }, FakeAgentService.Then);

        var text = written.ToString().ReplaceLineEndings(" ");
        if (line is null) text.ShouldNotContain("certificate");
        else text.ShouldContain(line);
        if (line is null) text.ShouldNotContain("authority");
    }

    [Fact]
    public async Task ADiskThatFillsUpIsTold()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Nodes = [.. healthy.Nodes.Select(n => n.Name == "n2" ? n with { Disk = new("/var", 88, 120L << 20, "low") } : n)] };
        var typed = new Typed();

        await typed.RunAsync("status", "--data-dir", host.Paths.Data);

        typed.Out.ToString().ShouldContain("The disk of n2 fills up: 88 % of /var is used, 120 MiB are free.");
    }

    [Fact]
    public async Task AFileThatIsToBeUsedIsNamedWithItsWholePath()
    {
        await using var host = await AgentHost.StartAsync();

        await new Typed().RunAsync("program", "use", "consul", "./consul", "--data-dir", host.Paths.Data);

        host.Agent.Asked.ShouldContain((Role.Consul, (string?)Path.GetFullPath("./consul")));
    }

    [Fact]
    public async Task PeopleReadStateAndReasonFirst()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with
        {
            Cluster = healthy.Cluster with { State = "degraded", Reason = "Server n3 is missing since 12:00:05." },
            Servers = [.. healthy.Servers.Select(s => s.Node == "n3" ? s with { State = "unreachable", Healthy = false } : s)],
            Operations = [FakeAgentService.Running("hand-over", "start the successor", "waits for a voter")],
        };
        var typed = new Typed();

        (await typed.RunAsync("status", "--data-dir", host.Paths.Data)).ShouldBe(0);

        var lines = typed.Out.ToString().Split('\n');
        lines[0].ShouldStartWith("degraded: 2 of 3 servers, cluster 3f2a1b0c");
        lines[1].ShouldBe("Server n3 is missing since 12:00:05.");
        lines[2].ShouldBe("Nomad: tolerates no failure, 2 of 3 voters present and 2 needed.");
        lines.ShouldContain("ROLE    NODE  ADDRESS         MANAGED  STATE        VOTER  LEADER  HEALTHY  PID");
        lines.ShouldContain("nomad   n1    10.77.0.1:4647  job      running      yes    yes     yes      123");
        lines.ShouldContain("nomad   n3    10.77.0.3:4647  job      unreachable  yes    no      no       -");
        lines.ShouldContain("n2    10.77.0.2  server  reachable  ready  alive   yes");
        typed.Out.ToString().ShouldContain("hand-over running for ");
        lines.ShouldAllBe(l => l.Length <= 80);
    }

    [Fact]
    public async Task ANodeWithoutAClusterIsToldHowToGetOne()
    {
        await using var host = await AgentHost.StartAsync();
        var healthy = FakeAgentService.Healthy();
        host.Agent.Status = healthy with { Cluster = new("", "none", "", 0), Servers = [], Nodes = [], Operations = [] };
        var typed = new Typed();

        (await typed.RunAsync("status", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Out.ToString().ShouldStartWith("no cluster on this node");
        typed.Out.ToString().ShouldContain("nomadstack bootstrap");
    }

    [Fact]
    public async Task WatchingPrintsOneLineOfJsonPerChangeAndOutlivesTheAgent()
    {
        var host = await AgentHost.StartAsync();
        using var interrupt = new CancellationTokenSource();
        var typed = new Typed();
        var watching = typed.RunAsync(interrupt.Token, "status", "--watch", "--json", "--data-dir", host.Paths.Data);

        await Eventually(() => typed.Out.ToString().Contains("healthy", StringComparison.Ordinal));
        host.Agent.Status = host.Agent.Status with { Cluster = host.Agent.Status.Cluster with { State = "degraded" } };
        await Eventually(() => typed.Out.ToString().Contains("degraded", StringComparison.Ordinal));
        await host.DisposeAsync();
        await Eventually(() => typed.Error.ToString().Contains("No agent answers", StringComparison.Ordinal));
        await interrupt.CancelAsync();

        (await watching).ShouldBe(0);
        typed.Out.ToString().TrimEnd().Split('\n').Length.ShouldBe(2);
        typed.Out.ToString().Split('\n')[1].ShouldStartWith("{\"schema\":1");
    }

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(3, 3, 1)]
    [InlineData(3, 2, 0)]
    [InlineData(3, 1, -1)]
    [InlineData(5, 5, 2)]
    [InlineData(2, 2, 0)]
    public void CountsTheFailuresStillTolerated(int voters, int present, int failures)
    {
        var servers = Enumerable.Range(1, voters).Select(i => FakeAgentService.Server("nomad", $"n{i}", 4647, healthy: i <= present))
            .Append(FakeAgentService.Server("nomad", "n9", 4647) with { Voter = false });

        FailureTolerance.Of(servers).ShouldHaveSingleItem().Failures.ShouldBe(failures);
    }

    private static async Task Eventually(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        while (!condition()) await Task.Delay(20, deadline.Token);
    }

    private static IEnumerable<string> Names(JsonElement element, string path) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p => Names(p.Value, path.Length == 0 ? p.Name : path + "." + p.Name)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(e => Names(e, path + "[]")),
        _ => [path],
    };
}
