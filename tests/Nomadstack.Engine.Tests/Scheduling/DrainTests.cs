// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class DrainTests
{
    private readonly Cluster _cluster = new();

    [Fact]
    public void MovesNoMoreThanMaxParallelAtATime()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 3));
        _cluster.Live(TimeSpan.FromSeconds(40));
        _cluster.Add(Specimens.Node("bb"));
        var fewest = int.MaxValue;
        _cluster.Watch = () => fewest = Math.Min(fewest, _cluster.Live().Count(a => a.DeploymentStatus?.Healthy == true));

        _cluster.Drain("a", TimeSpan.FromHours(1));
        _cluster.Live(TimeSpan.FromSeconds(60));

        _cluster.Live().Select(a => a.NodeID).Distinct().ShouldBe(["bb"]);
        fewest.ShouldBe(2);
        var node = _cluster.State.Node("a")!;
        node.DrainStrategy.ShouldBeNull();
        (node.SchedulingEligibility, node.LastDrain!.Status).ShouldBe((NodeEligibility.Ineligible, LastDrain.Complete));
        _cluster.All().Where(a => a.NodeID == "a").ShouldAllBe(a => a.DesiredDescription == "alloc is being migrated" && a.NextAllocation.Length > 0);
    }

    [Fact]
    public void StaysWithNowhereToGoUntilTheDeadline()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 2));
        _cluster.Live(TimeSpan.FromSeconds(30));

        _cluster.Drain("a", TimeSpan.FromSeconds(60));
        _cluster.Live(TimeSpan.FromSeconds(59));
        // The first has stopped, and nothing healthy may follow it as long as its successor waits for a node.
        _cluster.Live().Count.ShouldBe(1);
        _cluster.State.Node("a")!.DrainStrategy.ShouldNotBeNull();
        _cluster.Live(TimeSpan.FromSeconds(2));

        _cluster.Live().ShouldBeEmpty();
        _cluster.State.Node("a")!.DrainStrategy.ShouldBeNull();
    }

    [Fact]
    public void AForcedDrainMovesEverythingAtOnce()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 3));
        _cluster.Add(Specimens.Node("bb"));

        _cluster.Drain("a", TimeSpan.FromSeconds(-1));
        _cluster.Settle();

        _cluster.Live().Select(a => a.NodeID).Distinct().ShouldBe(["bb"]);
    }

    [Fact]
    public void LetsBatchWorkEndByItself()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Run(Specimens.Job("work", JobType.Batch));
        var working = _cluster.Live("work").Single();

        _cluster.Drain(working.NodeID, TimeSpan.Zero);
        _cluster.Live(TimeSpan.FromSeconds(60));
        _cluster.Live("work").Single().ID.ShouldBe(working.ID);
        _cluster.Commit(new UpdateAllocations([new(working.ID, ClientStatus.Complete, "", new Dictionary<string, TaskState> { ["t"] = new() { State = TaskState.Dead } }, null)], _cluster.Now, []));
        _cluster.Settle();

        _cluster.State.Node(working.NodeID)!.DrainStrategy.ShouldBeNull();
        _cluster.All("work").Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StopsSystemJobsLastUnlessTheyAreToStay(bool ignore)
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Run(Specimens.Job("everywhere", JobType.System));
        _cluster.Run(Specimens.Job(count: 1));
        _cluster.Live(TimeSpan.FromSeconds(30));
        var node = _cluster.Live().Single().NodeID;

        _cluster.Drain(node, TimeSpan.FromHours(1), ignoreSystem: ignore);
        _cluster.Live(TimeSpan.FromSeconds(20));

        _cluster.State.Node(node)!.DrainStrategy.ShouldBeNull();
        _cluster.Live("everywhere").Count(a => a.NodeID == node).ShouldBe(ignore ? 1 : 0);
        _cluster.Live("everywhere").Count(a => a.NodeID != node).ShouldBe(1);
    }

    [Fact]
    public void ADrainThatIsCalledOffLeavesTheNodeAsItWas()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job("work", JobType.Batch));
        _cluster.Drain("a", TimeSpan.FromHours(1));
        _cluster.Settle();

        _cluster.Commit(new UpdateNodeDrain("a", null, MarkEligible: true, Completed: false, _cluster.Now, null, null, []));
        _cluster.Settle();

        var node = _cluster.State.Node("a")!;
        (node.Ready, node.LastDrain!.Status).ShouldBe((true, LastDrain.Canceled));
        _cluster.Live("work").Count.ShouldBe(1);
    }
}
