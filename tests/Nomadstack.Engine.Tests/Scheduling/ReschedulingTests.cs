// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class ReschedulingTests
{
    private readonly Cluster _cluster = new();

    [Fact]
    public void ReplacesAFailedAllocationAfterItsDelayAndElsewhere()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        Run(new JsonObject { ["Delay"] = Specimens.Seconds(10), ["DelayFunction"] = "constant", ["Unlimited"] = true });
        var failed = _cluster.Live().Single();

        _cluster.Fail(failed);
        _cluster.Settle();
        var followUp = _cluster.State.Evaluation(_cluster.State.Allocation(failed.ID)!.FollowupEvalID)!;
        (followUp.TriggeredBy, followUp.WaitUntil).ShouldBe((EvalTrigger.AllocFailure, _cluster.Now + TimeSpan.FromSeconds(10)));
        _cluster.Live(TimeSpan.FromSeconds(8));
        _cluster.Live().ShouldBeEmpty();
        _cluster.Live(TimeSpan.FromSeconds(2));

        var successor = _cluster.Live().Single();
        successor.NodeID.ShouldNotBe(failed.NodeID);
        successor.PreviousAllocation.ShouldBe(failed.ID);
        var attempt = successor.RescheduleTracker!.Events.Single();
        (attempt.PrevAllocID, attempt.PrevNodeID, attempt.Delay).ShouldBe((failed.ID, failed.NodeID, TimeSpan.FromSeconds(10)));
        _cluster.State.Allocation(failed.ID)!.DesiredDescription.ShouldBe(StopReason.Rescheduled);
    }

    [Theory]
    [InlineData("constant", "5 5 5 5 5")]
    [InlineData("exponential", "5 10 20 40 40")]
    [InlineData("fibonacci", "5 5 10 15 25 40 40")]
    public void WaitsLongerFromAttemptToAttempt(string function, string delays)
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = _ => ClientStatus.Failed;
        Run(new JsonObject { ["Delay"] = Specimens.Seconds(5), ["DelayFunction"] = function, ["MaxDelay"] = Specimens.Seconds(40), ["Unlimited"] = true });

        _cluster.Live(TimeSpan.FromSeconds(200));

        var times = _cluster.All().Select(a => UnixNanoseconds.ToTime(a.CreateTime)).ToList();
        var waited = times.Zip(times.Skip(1), (earlier, later) => Math.Ceiling((later - earlier).TotalSeconds));
        // A second earlier at most: clocks differ, and nobody waits for that.
        var expected = delays.Split(' ').Select(double.Parse).ToList();
        foreach (var (actual, wanted) in waited.Zip(expected)) actual.ShouldBeInRange(wanted - 1, wanted);
    }

    [Fact]
    public void GivesUpWhenTheAttemptsOfTheIntervalAreUsedUp()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = _ => ClientStatus.Failed;
        Run(new JsonObject { ["Attempts"] = 2, ["Interval"] = Specimens.Seconds(3600), ["Delay"] = Specimens.Seconds(5), ["DelayFunction"] = "constant", ["Unlimited"] = false });

        _cluster.Live(TimeSpan.FromSeconds(120));

        _cluster.All().Count.ShouldBe(3);
        _cluster.All()[^1].RescheduleTracker!.Events.Count.ShouldBe(2);
        _cluster.State.Job(new("default", "web"))!.Status.ShouldBe(JobStatus.Dead);
    }

    [Fact]
    public void ReplacesAtOnceWhatIsForced()
    {
        _cluster.Add(Specimens.Node("a"));
        Run(new JsonObject { ["Attempts"] = 0, ["Unlimited"] = false });
        var failed = _cluster.Live().Single();
        _cluster.Fail(failed);
        _cluster.Settle();
        _cluster.Live().ShouldBeEmpty();

        var job = _cluster.State.Job(new("default", "web"))!;
        _cluster.Commit(new UpdateDesiredTransitions(new Dictionary<string, DesiredTransition> { [failed.ID] = new() { ForceReschedule = true } }, [Evaluation.For(job, EvalTrigger.JobRegister, _cluster.NewId(), _cluster.Now)]));
        _cluster.Settle();

        _cluster.Live().Single().PreviousAllocation.ShouldBe(failed.ID);
    }

    [Fact]
    public void FailuresCloseToEachOtherShareAnEvaluation()
    {
        _cluster.Add(Specimens.Node("a"));
        Run(new JsonObject { ["Delay"] = Specimens.Seconds(30), ["DelayFunction"] = "constant", ["Unlimited"] = true }, count: 3);
        foreach (var allocation in _cluster.Live()) _cluster.Fail(allocation);

        _cluster.Settle();

        _cluster.All().Select(a => a.FollowupEvalID).Distinct().ShouldHaveSingleItem().ShouldNotBeEmpty();
        _cluster.Live(TimeSpan.FromSeconds(31));
        _cluster.Live().Count.ShouldBe(3);
    }

    private void Run(JsonObject policy, int count = 1) => _cluster.Run(Specimens.Job(count: count, group: g =>
    {
        g["ReschedulePolicy"] = policy;
        // Without a deployment, which would have its own word on failures.
        g["Update"] = new JsonObject { ["MaxParallel"] = 0 };
    }));
}
