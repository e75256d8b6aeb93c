// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Explain;
using Nomadstack.Timeline;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Explain;

public sealed class StoryTests
{
    private static readonly DateTimeOffset s_now = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly List<TimelineEvent> _events = [];
    private readonly Dictionary<string, long> _numbers = [];
    private readonly List<MissingTimeline> _missing = [];

    [Fact]
    public void AFolderWithoutANodeSaysSo() =>
        Of(null, new NodeRecords("", "", [], [], [], "nomad")).Parts.Select(p => p.Topic).ShouldBe(["agent", "next"]);

    [Fact]
    public void WithoutAnAgentTheDiskTellsThatItWasKilledAndWhatIsRecorded()
    {
        At(-3600, "n1", EventKinds.AgentStarted, "The agent has started.");
        At(-120, "n1", EventKinds.GateOpened, "The gate is open after 4.0 s.");

        var told = Of(null, Records(own: [new("nomad", false, true, null)]));

        told.State.ShouldBe("stopped");
        Text(told, "agent").ShouldBe("The agent of n1 does not run, so this is told from its disk alone. It ended without a word: it was killed, or the machine lost its power. "
            + "The last that is known is from 11:58:00 UTC, 2 minutes ago: The gate is open after 4.0 s. Nothing that it ran runs now.");
        Text(told, "servers").ShouldBe("Nomad: 3 servers are recorded, on n1 (10.0.0.1:4647), n2 (10.0.0.2:4647) and n3 (10.0.0.3:4647); 2 must reach each other to have a leader. "
            + "This node's does not run; its data is on this disk.");
        Text(told, "next").ShouldContain("Start the agent");
    }

    [Fact]
    public void AnAgentThatWasStoppedLeavesItsServersRunning()
    {
        At(-60, "n1", EventKinds.AgentStopped, "The agent stops. What it runs goes on.");

        var told = Of(null, Records(own: [new("nomad", false, true, 42)]) with { Running = ["nomad-server", "nomad-client"] });

        Text(told, "agent").ShouldContain("It was stopped at 11:59:00 UTC, 60 s ago. Running without it: nomad-server and nomad-client.");
        Text(told, "servers").ShouldEndWith("This node's runs, as pid 42.");
    }

    [Theory]
    [InlineData(true, false, null, "was leaving")]
    [InlineData(false, false, null, "never was a caught-up voter")]
    [InlineData(false, true, null, "its data is on this disk")]
    public void AServerOnDiskIsToldByItsRecord(bool leaving, bool voter, int? pid, string said) =>
        Text(Of(null, Records(own: [new("nomad", leaving, voter, pid)])), "servers").ShouldContain(said);

    [Fact]
    public void ANodeOfNoClusterIsToldWhatFailedLast()
    {
        At(-30, "n1", EventKinds.OperationFailed, "The join has failed after 2.0 s. The token has expired.");

        var told = Of(Status("none", "…", []), Records() with { ClusterId = "" });

        Text(told, "operation").ShouldBe("At 11:59:30 UTC: The join has failed after 2.0 s. The token has expired.");
        Text(told, "next").ShouldContain("nomadstack bootstrap");
    }

    [Fact]
    public void WithoutAQuorumItSaysWhoIsMissingSinceWhenAndWhatHelps()
    {
        At(-300, "n1", EventKinds.PeerLost, "The agent on n2 does not answer.", (EventFields.Peer, "n2"));
        At(-290, "n1", EventKinds.LeaderLost, "no leader", (EventFields.Role, "nomad"));

        var told = Of(Status("no-quorum", "no nomad leader for 290 s; 1 of 3 servers answer, missing: n2, n3", [Server("n1"), Server("n2", "unreachable"), Server("n3", "unreachable")]), Records());

        Text(told, "servers").ShouldBe("Nomad: 3 servers are recorded, on n1, n2 and n3; 2 must reach each other to have a leader. n1 answers; not there: "
            + "n2 (since 11:55:00 UTC, 5 minutes: its agent does not answer n1), n3 (since before anything is known). There has been no leader since 11:55:10 UTC (5 minutes), as n1 saw it.");
        Text(told, "next").ShouldStartWith("Bring one of n2 or n3 back");
        Text(told, "next").ShouldContain("recover --plan");
    }

    [Fact]
    public void AServerOfThisNodeThatRunsAndSaysNothingIsNotToBeBroughtBack()
    {
        var told = Of(Status("no-quorum", "no nomad leader", [Server("n1", "unreachable") with { Pid = 59 }, Server("n2", "unreachable"), Server("n3", "unreachable")]), Records());

        Text(told, "servers").ShouldContain("None answers; n1 runs and says nothing before there is a leader; not there: n2");
        Text(told, "next").ShouldStartWith("Bring one of n2 or n3 back");
    }

    [Fact]
    public void WhenAllServersAnswerNoneIsToBeBroughtBack()
    {
        var told = Of(Status("no-quorum", "no nomad leader", [Server("n1"), Server("n2"), Server("n3")]), Records());

        Text(told, "servers").ShouldContain("All answer, and an election is under way.");
        Text(told, "next").ShouldStartWith("Wait some seconds.");
    }

    [Theory]
    [InlineData(EventKinds.AgentStopped, "its agent stopped at 11:58:20 UTC")]
    [InlineData("server.exited", "the server ended at 11:58:20 UTC")]
    [InlineData(EventKinds.AgentStarted, "the server does not answer")]
    public void WhatAMissingServersNodeToldLastIsSaid(string kind, string said)
    {
        At(-100, "n2", kind, "x", (EventFields.Role, "nomad"));

        Text(Of(Status("no-quorum", "no leader", [Server("n1"), Server("n2", "unreachable"), Server("n3", "unreachable")]), Records()), "servers").ShouldContain(said);
    }

    [Fact]
    public void AColdBootIsToldStepByStepOverAllNodes()
    {
        Boot("n1", -20);
        At(-17, "n1", EventKinds.GateClosed, "The gate waits for quorum: 1 of 3 servers answer; missing: n2, n3.", (EventFields.Reason, "quorum: 1 of 3 servers answer; missing: n2, n3"));
        Boot("n2", -15);
        At(-11, "n1", EventKinds.GateOpened, "The gate is open after 6.0 s: the Nomad client may start.");
        At(-10, "n1", EventKinds.OperationDone, "The cold boot is done after 9.0 s.", (EventFields.Operation, "cold-boot-1"));
        At(-9, "n2", EventKinds.OperationDone, "The cold boot is done after 5.0 s.", (EventFields.Operation, "cold-boot-1"));
        At(-1, "n1", EventKinds.PeerLost, "not of the cold boot", (EventFields.Peer, "n3"));
        _missing.Add(new("n3", "no agent answers there"));

        var told = Of(Status("degraded", "the nomad server on n3 does not answer", [Server("n1", leads: true), Server("n2"), Server("n3", "unreachable")]), Records());

        Text(told, "cold-boot").ShouldBe("n1 and n2 came back from a stop or a power cut, the first at 11:59:40 UTC, 20 s ago. "
            + "Nomad: 3 servers were recorded, on n1, n2 and n3, and 2 needed. Started: n1 after 0.5 s, n2 after 5.5 s; no start is known of n3. It was over after 10 s on n1 and 6.0 s on n2.");
        told.Parts.Single(p => p.Topic == "cold-boot").Steps.Select(s => $"{s.Seconds.ToString("0.0", CultureInfo.InvariantCulture)} {s.Node} {s.Text}").ShouldBe(
        [
            "0.0 n1 The machine has started anew.",
            "0.1 n1 The agent has started.",
            "0.5 n1 The Nomad server: Started as pid 7.",
            "3.0 n1 The gate waits for quorum: 1 of 3 servers answer; missing: n2, n3.",
            "5.0 n2 The machine has started anew.",
            "5.1 n2 The agent has started.",
            "5.5 n2 The Nomad server: Started as pid 7.",
            "9.0 n1 The gate is open after 6.0 s: the Nomad client may start.",
            "10.0 n1 The cold boot is done after 9.0 s.",
            "11.0 n2 The cold boot is done after 5.0 s.",
        ]);
        Text(told, "not-known").ShouldBe("What happened on n3 is not known: no agent answers there.");
        Text(told, "next").ShouldNotBeEmpty();
    }

    [Fact]
    public void AColdBootThatWaitsSaysForWhatAndHowLong()
    {
        Boot("n1", -70);
        At(-60, "n1", EventKinds.GateClosed, "…", (EventFields.Reason, "quorum: 1 of 3 servers answer; missing: n2, n3"));

        Text(Of(Status("no-quorum", "no leader", [Server("n1"), Server("n2", "unreachable"), Server("n3", "unreachable")]), Records()), "cold-boot")
            .ShouldEndWith("On n1 the gate has waited for 60 s for quorum: 1 of 3 servers answer; missing: n2, n3.");
    }

    [Fact]
    public void ARestartOfTheAgentAloneIsNoColdBoot()
    {
        At(-20, "n1", EventKinds.AgentStarted, "The agent has started.");
        At(-19, "n1", EventKinds.Of(EventKinds.Server, EventKinds.Adopted), "Adopted pid 7.", (EventFields.Role, "nomad"));
        At(-18, "n1", EventKinds.OperationStarted, "The cold boot has begun.", (EventFields.Operation, "cold-boot-1"));

        Of(Healthy(), Records()).Parts.ShouldNotContain(p => p.Topic == "cold-boot");
    }

    [Fact]
    public void ABootstrapIsNoColdBoot()
    {
        At(-20, "n1", EventKinds.AgentStarted, "The agent has started.");
        At(-19, "n1", EventKinds.Of(EventKinds.Server, EventKinds.Started), "Started.", (EventFields.Role, "nomad"));
        At(-18, "n1", EventKinds.OperationDone, "The bootstrap is done.", (EventFields.Operation, "bootstrap-1"));

        Of(Healthy(), Records()).Parts.ShouldNotContain(p => p.Topic == "cold-boot");
    }

    [Fact]
    public void AColdBootOfLastWeekIsToldWithoutItsSteps()
    {
        Boot("n1", -7 * 86400);
        At(-7 * 86400 + 5, "n1", EventKinds.OperationDone, "done", (EventFields.Operation, "cold-boot-1"));

        var part = Of(Healthy(), Records()).Parts.Single(p => p.Topic == "cold-boot");

        part.Text.ShouldContain("2029-12-25 12:00:00 UTC, 7 days ago");
        part.Steps.ShouldBeEmpty();
    }

    [Fact]
    public void AHealthyClusterIsToldInAFewLines()
    {
        var told = Of(Healthy(), Records());

        told.Parts.Select(p => p.Topic).ShouldBe(["state", "next"]);
        Text(told, "state").ShouldBe("The cluster is healthy: 3 Nomad servers on n1, n2 and n3, led by n2. 3 nodes are ready.");
    }

    [Fact]
    public void WhatRunsAndWhatItWaitsForIsSaid()
    {
        var operation = new Operation { Id = "drain-1", Kind = "drain", Step = "move the servers", Reason = "a successor", StartedAt = s_now.AddSeconds(-90), StepStartedAt = s_now.AddSeconds(-5) };

        Text(Of(Healthy() with { Operations = [operation] }, Records()), "operation").ShouldBe("The drain has run for 90 s and is at this step for 5.0 s: move the servers. It waits for a successor.");
    }

    [Fact]
    public void WhatHappenedLatelyIsToldNewestLastAndBounded()
    {
        for (var i = 0; i < 15; i++) At(-600 + i, "n1", EventKinds.PeerLost, $"lost {i}", (EventFields.Peer, "n2"));
        At(-7200, "n1", EventKinds.DiskShort, "too long ago");

        var late = Of(Healthy(), Records()).Parts.Single(p => p.Topic == "lately");

        late.Text.ShouldContain("5 earlier events are in");
        late.Steps.Select(s => s.Text).ShouldBe(Enumerable.Range(5, 10).Select(i => $"lost {i}"));
    }

    [Fact]
    public void EveryStateEndsWithWhatToDo()
    {
        foreach (var state in new[] { "none", "bootstrapping", "healthy", "degraded", "no-quorum", "recovering", "a word of a newer agent" })
        {
            Of(Status(state, "some reason", []), Records()).Parts.ShouldSatisfyAllConditions(
                parts => parts[^1].Topic.ShouldBe("next", state),
                parts => parts.ShouldAllBe(p => p.Text.Length > 0));
        }
    }

    private static string Text(Explanation told, string topic) => string.Join("|", told.Parts.Where(p => p.Topic == topic).Select(p => p.Text));

    private Explanation Of(StatusDocument? status, NodeRecords records) =>
        Story.Of(new(s_now, records, status, TimelineDocument.Merge(_events.GroupBy(e => e.Node).Select(n => (n.Key, new TimelinePart([.. n], false))), _missing, "", 1000)));

    private void Boot(string node, double seconds)
    {
        At(seconds, node, EventKinds.ColdBoot, "The machine has started anew.");
        At(seconds + 0.1, node, EventKinds.AgentStarted, "The agent has started.");
        At(seconds + 0.5, node, EventKinds.Of(EventKinds.Server, EventKinds.Started), "The Nomad server: Started as pid 7.", (EventFields.Role, "nomad"));
        At(seconds + 0.6, node, EventKinds.OperationStarted, "The cold boot has begun.", (EventFields.Operation, "cold-boot-1"));
    }

    private void At(double seconds, string node, string kind, string text, params (string Name, string Value)[] fields)
    {
        _numbers[node] = _numbers.GetValueOrDefault(node) + 1;
        _events.Add(new(s_now.AddSeconds(seconds), "b", _numbers[node], node, kind, text) { Fields = fields.ToDictionary(f => f.Name, f => f.Value) });
    }

    private static NodeRecords Records(IReadOnlyList<OwnServer>? own = null) => new(
        "n1", "c1",
        [.. Enumerable.Range(1, 3).Select(i => new RecordedNode($"n{i}", $"10.0.0.{i}", true))],
        [.. Enumerable.Range(1, 3).Select(i => new RecordedServer("nomad", $"n{i}", $"10.0.0.{i}:4647", true))],
        own ?? [], "nomad");

    private static ServerStatus Server(string node, string state = "running", bool leads = false) => new("nomad", node, "10.0.0.1:4647", "job", state, true, leads, true, null);

    private static StatusDocument Healthy() => Status("healthy", "", [Server("n1"), Server("n2", leads: true), Server("n3")]);

    private static StatusDocument Status(string state, string reason, IReadOnlyList<ServerStatus> servers) => new(
        1, new("n1", "id", "10.0.0.1", "1.0"), new("c1", state, reason, 3), new Dictionary<string, EngineVersion>(), servers,
        [.. Enumerable.Range(1, 3).Select(i => new MemberStatus($"n{i}", $"10.0.0.{i}", servers.Any(s => s.Node == $"n{i}" && s.State == "unreachable") ? "unreachable" : "reachable", true))], []);
}
