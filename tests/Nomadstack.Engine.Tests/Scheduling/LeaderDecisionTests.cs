// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

/// <summary>What the leader decides beside scheduling: plans against each other, waiting evaluations, heartbeats, garbage.</summary>
public sealed class LeaderDecisionTests
{
    private readonly Cluster _cluster = new();

    [Fact]
    public void OfTwoPlansForTheSameRoomTheSecondIsToldToLookAgain()
    {
        _cluster.Add(Specimens.Node("a", cpu: 150), Specimens.Node("bb", cpu: 150));
        var (one, two) = (PlanFor("one"), PlanFor("two", from: _cluster.State));
        // Both were made from the same state, and one node is free for both of them.
        two = two with { NodeAllocation = one.NodeAllocation.ToDictionary(n => n.Key, n => (IReadOnlyList<Allocation>)[.. n.Value.Select(a => a with { ID = _cluster.NewId(), JobID = "two" })]) };
        _cluster.Commit(PlanCheck.ToCommand(PlanCheck.Evaluate(one, _cluster.State).Committed, _cluster.Now)).ShouldBeOfType<Applied.Done>();

        var result = PlanCheck.Evaluate(two, _cluster.State);

        result.Committed.NodeAllocation.ShouldBeEmpty();
        result.RefreshIndex.ShouldBe(_cluster.State.Allocations.Index);
    }

    [Fact]
    public void ANodeThatCannotTakeAllThatIsMeantForItGivesUpNothing()
    {
        _cluster.Add(Specimens.Node("a", cpu: 150));
        _cluster.Run(Specimens.Job("one"));
        var plan = PlanFor("two", cpu: 150, stop: _cluster.Live("one").Single());
        _cluster.SetEligible("a", false);

        var result = PlanCheck.Evaluate(plan, _cluster.State);

        (result.Committed.NodeUpdate.Count, result.Committed.NodeAllocation.Count).ShouldBe((0, 0));
        result.RefreshIndex.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void APlanForAllAtOnceCountsAsAWholeOrNotAtAll()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Register(Specimens.Job(count: 2, job: j => { j["AllAtOnce"] = true; j["Constraints"] = new JsonArray(Specimens.Constraint("", "distinct_hosts", "true")); }));
        var plan = SchedulerRun.Attempt(Input("web")).Plan;
        _cluster.SetStatus("bb", NodeStatus.Down);

        PlanCheck.Evaluate(plan, _cluster.State).Committed.NodeAllocation.ShouldBeEmpty();
        PlanCheck.Evaluate(plan with { AllAtOnce = false }, _cluster.State).Committed.NodeAllocation.Keys.ShouldBe(["a"]);
    }

    [Fact]
    public async Task AWorkerThatNeverGetsItsPlanThroughFailsAndIsTriedAgainLater()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Register(Specimens.Job());
        var tries = 0;
        var run = new SchedulerRun((plan, _) =>
        {
            tries++;
            return Task.FromResult(new PlanResult(plan with { NodeAllocation = new Dictionary<string, IReadOnlyList<Allocation>>(), Deployment = null }, 1));
        }, (_, _) => Task.FromResult(_cluster.State), _cluster.NewId, new Random(1), TimeProvider.System);

        var outcome = await run.ProcessAsync(_cluster.State.EvaluationsOf(new("default", "web")).Single(), _cluster.State, CancellationToken.None);

        tries.ShouldBe(5);
        outcome.Evaluations.Select(e => (e.Status, e.TriggeredBy)).ShouldBe([(EvalStatus.Failed, EvalTrigger.JobRegister), (EvalStatus.Blocked, EvalTrigger.MaxPlanAttempts)]);
        var blocked = new BlockedEvaluations();
        blocked.Block(outcome.Evaluations[1]);
        blocked.UnblockFailed().Single().Evaluation.ID.ShouldBe(outcome.Evaluations[1].ID);
        blocked.Count.ShouldBe(0);
    }

    [Fact]
    public void AnEvaluationThatMissedCapacityWhileItWasProcessedIsQueuedAtOnce()
    {
        var blocked = new BlockedEvaluations();
        blocked.Unblock(10).ShouldBeEmpty();

        blocked.Block(new Evaluation { ID = "a", JobID = "one", SnapshotIndex = 9 }).ShouldBeTrue();
        blocked.Block(new Evaluation { ID = "b", JobID = "two", SnapshotIndex = 10 }).ShouldBeFalse();
        blocked.Unblock(11).Select(w => w.Evaluation.ID).ShouldBe(["b"]);
    }

    [Fact]
    public void OfTwoBlockedEvaluationsOfAJobTheNewerStays()
    {
        var blocked = new BlockedEvaluations();
        blocked.Block(new Evaluation { ID = "old", JobID = "one", CreateIndex = 5 });
        blocked.Block(new Evaluation { ID = "new", JobID = "one", CreateIndex = 8 });
        blocked.Block(new Evaluation { ID = "older", JobID = "one", CreateIndex = 3 });

        blocked.TakeDuplicates().Select(e => (e.ID, e.Status)).ShouldBe([("old", EvalStatus.Canceled), ("older", EvalStatus.Canceled)]);
        blocked.TakeDuplicates().ShouldBeEmpty();
        blocked.Unblock(20).Single().Evaluation.ID.ShouldBe("new");
    }

    [Fact]
    public void ANewLeaderTakesUpWhatIsOpen()
    {
        _cluster.Add(Specimens.Node("a", cpu: 150));
        _cluster.Run(Specimens.Job("full", count: 2));
        _cluster.Register(Specimens.Job("open"));

        var queues = new EvaluationQueues(_cluster.NewId);
        queues.Fill(_cluster.State, _cluster.Now);

        (queues.Broker.ReadyCount, queues.Blocked.Count).ShouldBe((1, 1));
    }

    [Fact]
    public void AnEvaluationThatIsGivenUpIsFollowedByAnother()
    {
        _cluster.Register(Specimens.Job());
        var evaluation = _cluster.State.EvaluationsOf(new("default", "web")).Single();

        _cluster.Commit(EvaluationQueues.GiveUp(evaluation, _cluster.NewId, 0.5, _cluster.Now));

        var failed = _cluster.State.Evaluation(evaluation.ID)!;
        failed.Status.ShouldBe(EvalStatus.Failed);
        var next = _cluster.State.Evaluation(failed.NextEval)!;
        (next.TriggeredBy, next.PreviousEval, next.Wait).ShouldBe((EvalTrigger.FailedFollowUp, evaluation.ID, TimeSpan.FromMinutes(3.5)));
    }

    [Fact]
    public void AfterAnElectionEveryNodeHasFiveMinutesToReport()
    {
        var heartbeats = new Heartbeats(new Random(1));
        var now = Specimens.Start;
        heartbeats.Start([Specimens.Node("a"), Specimens.Node("bb"), Specimens.Node("ccc") with { Status = NodeStatus.Down }], now);
        heartbeats.Count.ShouldBe(2);

        heartbeats.TakeMissed(now.AddSeconds(299)).ShouldBeEmpty();
        heartbeats.Beat("a", now.AddSeconds(299)).ShouldBeInRange(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20));
        heartbeats.TakeMissed(now.AddSeconds(300)).ShouldBe(["bb"]);
        heartbeats.TakeMissed(now.AddSeconds(318)).ShouldBeEmpty();
        heartbeats.TakeMissed(now.AddSeconds(330)).ShouldBe(["a"]);
        heartbeats.NextDue.ShouldBeNull();
    }

    [Fact]
    public void LargeClustersReportLessOften()
    {
        var heartbeats = new Heartbeats(new Random(1));
        for (var i = 0; i < 2000; i++) heartbeats.Beat($"n{i}", Specimens.Start);

        heartbeats.Beat("n0", Specimens.Start).ShouldBeInRange(TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(80));
    }

    [Fact]
    public void WhatIsOverIsCollectedWhenItIsOldEnough()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Run(Specimens.Job("gone"));
        _cluster.Run(Specimens.Job("stays"));
        _cluster.Stop("gone");
        _cluster.Live(TimeSpan.FromSeconds(15));
        var index = _cluster.State.Index;

        var young = GarbageCollection.Collect(_cluster.State, new GarbageThresholds(), _ => 0, _cluster.Now);
        GarbageCollection.IsEmpty(young).ShouldBeTrue();
        var old = GarbageCollection.Collect(_cluster.State, new GarbageThresholds(), _ => index, _cluster.Now);
        _cluster.Commit(old);

        _cluster.State.Jobs.All.Select(j => j.ID).ShouldBe(["stays"]);
        _cluster.State.Allocations.All.Select(a => a.JobID).ShouldBe(["stays"]);
        _cluster.State.Evaluations.All.ShouldNotContain(e => e.JobID == "gone");
        _cluster.State.Deployments.All.ShouldAllBe(d => d.JobID == "stays");
        _cluster.Live("stays").Count.ShouldBe(1);
        _cluster.State.Job(new("default", "stays"))!.Status.ShouldBe(JobStatus.Running);
    }

    [Fact]
    public void WorkThatALiveBatchJobHasDoneIsKeptSinceItWouldBeDoneAgain()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = a => a.Number == 0 ? ClientStatus.Complete : ClientStatus.Running;
        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 2));

        _cluster.Commit(GarbageCollection.Force(_cluster.State, _cluster.Now));
        _cluster.Commit(new UpsertEvaluations([Evaluation.For(_cluster.State.Job(new("default", "work"))!, EvalTrigger.NodeUpdate, _cluster.NewId(), _cluster.Now)]));
        _cluster.Settle();

        _cluster.All("work").Select(a => a.Number).ShouldBe([0, 1]);
    }

    [Fact]
    public void AForcedCollectionTakesFinishedJobsAndDownNodesWithoutAllocations()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Fate = _ => ClientStatus.Complete;
        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 2));
        _cluster.SetStatus("bb", NodeStatus.Down);
        _cluster.Settle();

        _cluster.Commit(GarbageCollection.Force(_cluster.State, _cluster.Now));

        (_cluster.State.Jobs.Count, _cluster.State.Allocations.Count, _cluster.State.Evaluations.Count).ShouldBe((0, 0, 0));
        _cluster.State.Nodes.All.Select(n => n.ID).ShouldBe(["a"]);
    }

    [Fact]
    public void AFailedAllocationIsRememberedUntilItHasASuccessor()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(group: g => { g["Update"] = new JsonObject { ["MaxParallel"] = 0 }; g["ReschedulePolicy"] = new JsonObject { ["Delay"] = Specimens.Seconds(60), ["DelayFunction"] = "constant", ["Unlimited"] = true }; }));
        var failed = _cluster.Live().Single();
        _cluster.Fail(failed);
        _cluster.Settle();

        GarbageCollection.Force(_cluster.State, _cluster.Now).AllocationIDs.ShouldBeEmpty();
        _cluster.Live(TimeSpan.FromSeconds(61));
        GarbageCollection.Force(_cluster.State, _cluster.Now).AllocationIDs.ShouldBe([failed.ID]);
    }

    [Fact]
    public void AThousandAllocationsArePlacedInOneGo()
    {
        for (var i = 1; i <= 3; i++) _cluster.Add(Specimens.Node(new string('n', i), cpu: 40_000, memory: 40_000));
        _cluster.Fate = _ => ClientStatus.Complete;

        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 1000, group: g => g["EphemeralDisk"] = new JsonObject { ["SizeMB"] = 10 }, task: t => { t["LogConfig"] = new JsonObject { ["MaxFiles"] = 1, ["MaxFileSizeMB"] = 1 }; t["Resources"]!["CPU"] = 10; t["Resources"]!["MemoryMB"] = 10; }));

        _cluster.All("work").Count.ShouldBe(1000);
        _cluster.State.SummaryOf(new("default", "work"))!.Summary["g"].Complete.ShouldBe(1000);
    }

    [Fact]
    public void AThousandAllocationsPassThroughRoomForFiftyOneByOne()
    {
        for (var i = 1; i <= 3; i++) _cluster.Add(Specimens.Node(new string('n', i), cpu: 170, memory: 40_000));
        _cluster.Fate = _ => ClientStatus.Complete;

        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 1000, task: t => t["Resources"]!["CPU"] = 10));

        _cluster.All("work").Select(a => a.Number).Order().ShouldBe(Enumerable.Range(0, 1000));
        _cluster.All("work").ShouldAllBe(a => a.ClientStatus == ClientStatus.Complete);
        _cluster.State.Job(new("default", "work"))!.Status.ShouldBe(JobStatus.Dead);
    }

    private Plan PlanFor(string job, int cpu = 100, Allocation? stop = null, StateSnapshot? from = null)
    {
        _cluster.Commit(new RegisterJob(Specimens.Job(job, task: t => t["Resources"]!["CPU"] = cpu), null, null));
        var state = from ?? _cluster.State;
        if (stop is null) return SchedulerRun.Attempt(Input(job)).Plan;
        var draft = new PlanDraft(state);
        draft.Stop(stop, "make room");
        var (selection, metrics) = new NodeSelector(_cluster.State.Job(new("default", job))!, draft, new Random(1)).Select(_cluster.State.Job(new("default", job))!.TaskGroups[0], state.Nodes.All, new Dictionary<string, int>(), stop, new HashSet<string>());
        draft.Place(Placements.New(Input(job), _cluster.State.Job(new("default", job))!.TaskGroups[0], job + ".g[0]", selection!, metrics));
        return draft.ToPlan(new Evaluation { ID = "e" }, _cluster.State.Job(new("default", job)));
    }

    private SchedulingInput Input(string job) =>
        new(_cluster.State, Evaluation.For(_cluster.State.Job(new("default", job))!, EvalTrigger.JobRegister, _cluster.NewId(), _cluster.Now), _cluster.Now, _cluster.NewId, new Random(1));
}
