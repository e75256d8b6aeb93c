// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Health;
using Nomadstack.Node;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Storage;
using Nomadstack.Tests.Operations;
using Nomadstack.Timeline;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Timeline;

/// <summary>What the agent's parts tell, and what they keep to themselves.</summary>
public sealed class HooksTests : IDisposable
{
    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-hooks-").FullName);
    private readonly ManualTime _time = new();

    public void Dispose() => Directory.Delete(_paths.Data, recursive: true);

    [Fact]
    public void AnOperationTellsItsBeginningItsStepsAndItsEnd()
    {
        var run = new OperationLog(_paths, _time, Open()).Begin("hand-over", new Dictionary<string, string> { ["role"] = "nomad" });
        run.Step("move leadership");
        run.Step("move leadership");
        _time.Pass(2);
        run.Finish();
        run.Finish();

        Told().ShouldBe(
        [
            "operation.started: The hand over has begun.",
            "operation.step: The hand over: move leadership.",
            "operation.done: The hand over is done after 2.0 s.",
        ]);
        JournalFile.Events(_paths.Timeline).Select(e => e.Field(EventFields.Operation)).Distinct().ShouldBe([run.Current.Id]);
    }

    [Fact]
    public void AFailureTellsItsCodeAndWhatHappened()
    {
        var log = new OperationLog(_paths, _time, Open());
        log.Begin("join").Fail(new("join/expired", "The token has expired.", "It was made long ago.", "Make another."));
        log.Begin("join").Fail(new("join/cloned", "It is a copy.", "", "") { Unsafe = true });

        Told().Where(t => t.StartsWith("operation.failed", StringComparison.Ordinal)).ShouldBe(["operation.failed: The join has failed after 0.0 s. The token has expired.", "operation.failed: The join was refused after 0.0 s. It is a copy."]);
        JournalFile.Events(_paths.Timeline).Last().Field(EventFields.Problem).ShouldBe("join/cloned");
    }

    [Fact]
    public void WhatWasAskedForIsNotTold()
    {
        var run = new OperationLog(_paths, _time, Open()).Begin("join", new Dictionary<string, string> { ["host"] = "10.0.0.1", ["token"] = "s3cr3t-of-a-request" });
        run.Step("ask");
        run.Finish();

        File.ReadAllText(_paths.Timeline).ShouldNotContain("s3cr3t-of-a-request");
    }

    [Fact]
    public void AProcessTellsItsEndWithoutItsLastWords()
    {
        var events = new AgentEvents(Open(), ProductTable.Known, _time);
        events.OfProcess(new("nomad-server", _time.GetUtcNow(), ProcessEventKind.Exited, "Pid 7 ended: exit code 1. Last output: token=s3cr3t") { Brief = "Pid 7 ended: exit code 1." });
        events.OfProcess(new("consul-client", _time.GetUtcNow(), ProcessEventKind.Started, "Started as pid 8."));
        events.OfProcess(new("nomad-bootstrap", _time.GetUtcNow(), ProcessEventKind.Adopted, "Adopted pid 9."));
        events.OfProcess(new("nomad-server", _time.GetUtcNow(), ProcessEventKind.RestartPlanned, "It will be started again in 1 s."));

        Told().ShouldBe(
        [
            "server.exited: The Nomad server: Pid 7 ended: exit code 1.",
            "client.started: The Consul client: Started as pid 8.",
            "server.adopted: The Nomad bootstrap server: Adopted pid 9.",
        ]);
    }

    [Theory]
    [InlineData("b1", true, "stopped", 0)]
    [InlineData("b1", false, "killed", 0)]
    [InlineData("b2", false, "killed", 1)]
    [InlineData("b2", true, "stopped", 1)]
    public void AnAgentTellsHowTheOneBeforeEndedAndWhetherTheMachineWasOff(string boot, bool stopped, string before, int cold)
    {
        var first = new AgentEvents(Open("b1"), ProductTable.Known, _time);
        first.Started("b1", "1.0");
        if (stopped) first.Stopped(everything: false);
        _time.Pass(7200);

        new AgentEvents(Open(boot), ProductTable.Known, _time).Started(boot, "1.0");

        var all = JournalFile.Events(_paths.Timeline).ToList();
        all[0].Field(EventFields.Before).ShouldBe("none");
        all[^1].Kind.ShouldBe(EventKinds.AgentStarted);
        all[^1].Field(EventFields.Before).ShouldBe(before);
        all.Count(e => e.Kind == EventKinds.ColdBoot).ShouldBe(cold);
        if (cold > 0) all[^2].Text.ShouldBe("The machine has started anew. The last that is known from before is 2 hours old.");
    }

    [Fact]
    public void APeerIsLostAndBackOnceHoweverOftenItIsTried()
    {
        var health = new PeerHealth(_time);
        List<string> told = [];
        health.Changed += (id, why) => told.Add(why is null ? $"{id} back" : $"{id} lost: {why.Code}");
        var problem = new Problem("peers/unreachable", "What.", "Why.", "Fix.");

        health.Heard("a");
        for (var i = 0; i < 5; i++) health.Failed("a", problem);
        health.Heard("a");
        health.Heard("a");
        health.Failed("a", problem);
        health.Heard("a");
        for (var i = 0; i < 2; i++) health.Failed("a", problem);
        health.Refused("a", problem);

        told.ShouldBe(["a lost: peers/unreachable", "a back", "a lost: peers/unreachable", "a back"]);
    }

    [Fact]
    public void ALeaderIsLostAndSeenAgainOnce()
    {
        List<(string, bool)> told = [];
        var sightings = new LeaderSightings(_time, (role, leader) => told.Add((role, leader)));

        foreach (var leader in new[] { true, true, false, false, true, true, false }) sightings.Note("nomad", leader);

        told.ShouldBe([("nomad", false), ("nomad", true), ("nomad", false)]);
    }

    private List<string> Told() => [.. JournalFile.Events(_paths.Timeline).Select(e => $"{e.Kind}: {e.Text}")];

    private Journal Open(string boot = "b1") => new(_paths.Timeline, "n1", boot, _time, _ => { });
}
