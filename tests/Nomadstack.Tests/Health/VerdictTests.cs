// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Health;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Health;

public sealed class VerdictTests
{
    [Fact]
    public void ItIsHealthyWhenEverythingHolds() => Verdict.On(Healthy()).ShouldBe(new Verdict("healthy", ""));

    [Fact]
    public void OneServerOfEachIsHealthyToo()
    {
        var one = Healthy() with { Desired = new Dictionary<string, int> { [Role.Nomad] = 1, [Role.Consul] = 1 } };

        Verdict.On(one with { Servers = [.. Role.All.Select(r => Server(r, "n1", View(r, "n1")))] }).State.ShouldBe("healthy");
    }

    [Fact]
    public void AClusterWithoutConsulIsHealthyWithoutConsul()
    {
        var facts = Healthy();

        Verdict.On(facts with
        {
            Products = [Role.Row(Role.Nomad)],
            Servers = [.. facts.Servers.Where(s => s.Server.Entry.Role == Role.Nomad)],
            Nodes = [.. facts.Nodes.Select(n => n with { Clients = n.Clients.Where(c => c.Key == Role.Nomad).ToDictionary() })],
        }).State.ShouldBe("healthy");
    }

    [Fact]
    public void ADrainedNodeIsNoDefect() => Verdict.On(Nodes("n2", n => n with { Eligible = false })).State.ShouldBe("healthy");

    [Fact]
    public void WithoutAClusterItSaysHowToGetOne() => Is(Healthy() with { HasCluster = false }, "none", "nomadstack bootstrap", "--join");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ABootstrapUnderWayOutweighsEverything(bool minted) =>
        Is(NoLeader(Role.Nomad, []) with { HasCluster = minted, Bootstrapping = true }, "bootstrapping", "being made");

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void WithoutALeaderItNamesWhoIsMissing(string role)
    {
        var verdict = Is(NoLeader(role, ["n2", "n3"]), "no-quorum", role, "1 of 3", "n2", "n3");

        verdict.Reason.ShouldNotContain("n1");
    }

    [Fact]
    public void WithoutALeaderItSaysSinceWhen() => Is(NoLeader(Role.Nomad, ["n2", "n3"]) with { QuorumLostFor = TimeSpan.FromSeconds(42) }, "no-quorum", "42 s");

    [Fact]
    public void AnElectionIsNoMissingServer() => Is(NoLeader(Role.Nomad, []), "no-quorum", "3 servers answer", "election");

    /// <summary>The sentence for three in the morning: which server, and what it said when it ended.</summary>
    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void AServerThatEndsAtEachStartIsToldWithItsLastWords(string role)
    {
        const string why = "exit code 1: log-0000000001 is damaged at byte 18426";
        Is(Servers(role, "n2", s => s with { View = null, Why = $"its process ended, {why}" }), "degraded", $"the {role} server on n2 (its process ended, {why}) does not answer");
        var facts = NoLeader(role, ["n1", "n2"]);

        Is(facts with { Servers = [.. facts.Servers.Select(s => s.View is null && s.Server.NodeName == "n1" ? s with { Why = $"its process ended, {why}" } : s)] }, "no-quorum", $"missing: n1 (its process ended, {why}), n2");
    }

    [Fact]
    public void ALostQuorumOutweighsAnyOtherDefect()
    {
        var facts = NoLeader(Role.Consul, ["n2", "n3"]);

        Is(facts with { Nodes = [.. facts.Nodes.Select(n => n with { Reachable = false })] }, "no-quorum", "consul");
    }

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void OneSilentServerOfThreeDegrades(string role) => Is(Servers(role, "n2", s => s with { View = null }), "degraded", role, "n2", "does not answer");

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void ABootstrapServerThatIsStillThereDegrades(string role) =>
        Is(Servers(role, "n2", s => s with { Server = s.Server with { Entry = s.Server.Entry with { ManagedBy = "bootstrap" } } }), "degraded", role, "n2", "bootstrap server");

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void AVoterThatIsUnhealthyOrNoVoterYetDegrades(string role)
    {
        foreach (var change in (Func<RaftMember, RaftMember>[])[m => m with { Healthy = false }, m => m with { Voter = false }])
        {
            Is(Servers(role, null, s => s with { View = s.View! with { Members = [.. s.View.Members.Select(m => m.RaftId == role + "-n3" ? change(m) : m)] } }), "degraded", "2 of 3", role);
        }
    }

    [Fact]
    public void FewerServersThanTheJobAsksForDegrade() =>
        Is(Healthy() with { Desired = new Dictionary<string, int> { [Role.Nomad] = 5, [Role.Consul] = 3 } }, "degraded", "3 of 5", Role.Nomad);

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void ALingeringServerDegradesEvenWhenEnoughOthersAreThere(string role)
    {
        var facts = Servers(role, "n3", s => s with { Server = s.Server with { Entry = s.Server.Entry with { State = "lingering" } } });

        Is(facts with { Desired = new Dictionary<string, int> { [Role.Nomad] = 1, [Role.Consul] = 1 } }, "degraded", role, "n3", "lingers");
    }

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void AVoterThatNoNodeRunsDegrades(string role) =>
        Is(Servers(role, null, s => s with { View = View(role, "n1", "n2", "n3", "gone") }), "degraded", role, "voter that no node runs");

    [Fact]
    public void ASilentAgentDegrades() => Is(Nodes("n2", n => n with { Reachable = false }), "degraded", "agent", "n2");

    [Theory]
    [InlineData("down")]
    [InlineData("starting")]
    public void ANomadClientThatIsNotReadyDegrades(string status) => Is(Nodes("n2", n => Client(n, Role.Nomad, status)), "degraded", "Nomad client", "n2", status);

    [Fact]
    public void AClientThatIsHeldBackSaysForWhat() =>
        Is(Nodes("n1", n => Client(n, Role.Nomad, "starting")) with { ClientWaitsFor = "quorum: 1 of 3 servers answer" }, "degraded", "n1", "quorum: 1 of 3 servers answer");

    [Fact]
    public void AFailedConsulClientDegrades() => Is(Nodes("n2", n => Client(n, Role.Consul, "failed")), "degraded", "Consul client", "n2");

    [Fact]
    public void ANodeThatWasLetInAndHasNotComeIsNotMissed() => Verdict.On(Nodes("n2", n => Client(n, Role.Nomad, "down") with { Reachable = false, Joining = true })).State.ShouldBe("healthy");

    [Fact]
    public void WhyAnAgentDoesNotAnswerIsToldWhereItIsKnown() =>
        Is(Nodes("n2", n => n with { Reachable = false, Why = "Large packets to peer n2 are lost on the way." }), "degraded", "the agent on n2 does not answer: large packets to peer n2 are lost on the way");

    [Fact]
    public void AWrongClockDegrades() => Is(Healthy() with { Clock = "the clock of n2 is 2 days ahead of this node's" }, "degraded", "the clock of n2 is 2 days ahead of this node's");

    private static readonly DiskSpace s_full = new("/var", 990L << 20, 10L << 20), s_low = new("/var", 900L << 20, 100L << 20);

    [Fact]
    public void ADiskThatIsNearlyFullDegradesAndIsNamed() => Is(Nodes("n2", n => n with { Disk = s_full }), "degraded", "the disk of n2", "99 % of /var is used", "10 MiB are free");

    [Fact]
    public void ADiskThatFillsUpIsNoDefectYet() => Verdict.On(Nodes("n2", n => n with { Disk = s_low })).State.ShouldBe("healthy");

    [Fact]
    public void WithoutALeaderAFullDiskIsNamedAsItsCause()
    {
        var facts = NoLeader(Role.Nomad, ["n2", "n3"]);

        Is(facts with { Nodes = [.. facts.Nodes.Select(n => n.Name == "n3" ? n with { Disk = s_full } : n)] }, "no-quorum", "1 of 3", "n2, n3; the disk of n3 is nearly full");
    }

    [Fact]
    public void AnyOtherDefectIsToldWithTheFullDisk() => Is(Nodes("n2", n => n with { Reachable = false, Disk = s_full }), "degraded", "the agent on n2 does not answer; the disk of n2");

    private static Verdict Is(StatusFacts facts, string state, params string[] words)
    {
        var verdict = Verdict.On(facts);
        verdict.State.ShouldBe(state, verdict.Reason);
        foreach (var word in words) verdict.Reason.ShouldContain(word);
        return verdict;
    }

    private static StatusFacts Healthy() => new(
        HasCluster: true,
        Bootstrapping: false,
        [.. Role.All.Select(Role.Row)],
        new Dictionary<string, int> { [Role.Nomad] = 3, [Role.Consul] = 3 },
        [.. from role in Role.All from node in (string[])["n1", "n2", "n3"] select Server(role, node, View(role, "n1", "n2", "n3"))],
        [.. from node in (string[])["n1", "n2", "n3"] select new SeenNode(node, "10.0.0.1", true, new Dictionary<string, SeenClient> { [Role.Nomad] = new(node, "ready", true), [Role.Consul] = new(node, "alive", true) }, true)],
        ClientWaitsFor: "",
        QuorumLostFor: null);

    private static StatusFacts Servers(string role, string? node, Func<SeenServer, SeenServer> change)
    {
        var facts = Healthy();
        return facts with { Servers = [.. facts.Servers.Select(s => s.Server.Entry.Role == role && (node ?? s.Server.NodeName) == s.Server.NodeName ? change(s) : s)] };
    }

    private static StatusFacts Nodes(string name, Func<SeenNode, SeenNode> change)
    {
        var facts = Healthy();
        return facts with { Nodes = [.. facts.Nodes.Select(n => n.Name == name ? change(n) : n)] };
    }

    private static SeenNode Client(SeenNode node, string product, string state) =>
        node with { Clients = new Dictionary<string, SeenClient>(node.Clients) { [product] = new(node.Name, state, Serves: false) } };

    private static StatusFacts NoLeader(string role, string[] silent) =>
        Servers(role, null, s => s with { View = silent.Contains(s.Server.NodeName) ? null : s.View! with { LeaderAddress = null } });

    private static SeenServer Server(string role, string node, RaftView view) =>
        new(new(node, node, "10.0.0.1", new ServerEntry(role, $"{role}-{node}", "job", "running", 1, 2, 3)), view, 100);

    private static RaftView View(string role, params string[] nodes) =>
        new("10.0.0.1:2", false, 10, 10, [.. nodes.Select(n => new RaftMember($"{role}-{n}", "10.0.0.1:2", Voter: true, Leader: n == "n1", Healthy: true))]);
}
