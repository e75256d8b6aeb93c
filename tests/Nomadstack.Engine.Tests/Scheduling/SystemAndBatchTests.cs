// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class SystemAndBatchTests
{
    private readonly Cluster _cluster = new();

    [Fact]
    public void ASystemJobRunsOnEveryNodeThatCanTakeItAndOnThoseThatCome()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb", datacenter: "dc2"), Specimens.Node("ccc"));
        _cluster.Run(Specimens.Job("sys", JobType.System));
        Places().ShouldBe(["a", "ccc"]);

        _cluster.Add(Specimens.Node("dddd"));
        _cluster.Settle();

        Places().ShouldBe(["a", "ccc", "dddd"]);
        _cluster.State.Job(new("default", "sys"))!.Status.ShouldBe(JobStatus.Running);
    }

    [Fact]
    public void ASystemJobIsLostWithItsNodeAndComesBackWithIt()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Run(Specimens.Job("sys", JobType.System));

        _cluster.SetStatus("a", NodeStatus.Down);
        _cluster.Settle();
        Places().ShouldBe(["bb"]);
        _cluster.SetStatus("a", NodeStatus.Ready);
        _cluster.Settle();

        Places().ShouldBe(["a", "bb"]);
    }

    [Fact]
    public void ASystemJobIsUpdatedAFewNodesAtATime()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"), Specimens.Node("ccc"));
        _cluster.Run(System("1"));

        _cluster.Run(System("2"));
        _cluster.Live("sys").Count(a => a.Job.Version == 1).ShouldBe(1);
        _cluster.Live(TimeSpan.FromSeconds(21));
        _cluster.Live("sys").Count(a => a.Job.Version == 1).ShouldBe(2);
        _cluster.Live(TimeSpan.FromSeconds(20));

        _cluster.Live("sys").Count(a => a.Job.Version == 1).ShouldBe(3);

        static Job System(string value) => Specimens.Job("sys", JobType.System, job: j => j["Update"] = new JsonObject { ["MaxParallel"] = 1, ["Stagger"] = Specimens.Seconds(20) }, task: t => t["Env"] = new JsonObject { ["V"] = value });
    }

    [Fact]
    public void ASystemJobWaitsForRoomOnAFullNode()
    {
        _cluster.Add(Specimens.Node("a", cpu: 150));
        _cluster.Run(Specimens.Job("big"));
        _cluster.Run(Specimens.Job("sys", JobType.System));
        Places().ShouldBeEmpty();
        _cluster.State.EvaluationsOf(new("default", "sys")).Count(e => e.Status == EvalStatus.Blocked).ShouldBe(1);

        _cluster.Stop("big");

        Places().ShouldBe(["a"]);
    }

    [Fact]
    public void ABatchJobIsDoneWhenItsAllocationsAre()
    {
        _cluster.Add(Specimens.Node("a", cpu: 250));
        _cluster.Fate = _ => ClientStatus.Complete;

        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 20)).Status.ShouldBe(JobStatus.Dead);

        _cluster.All("work").Select(a => a.Number).Order().ShouldBe(Enumerable.Range(0, 20));
        _cluster.All("work").ShouldAllBe(a => a.ClientStatus == ClientStatus.Complete);
        _cluster.State.SummaryOf(new("default", "work"))!.Summary["g"].ShouldBe(new TaskGroupSummary { Complete = 20 });
    }

    [Fact]
    public void ABatchJobIsNotRunTwiceBecauseItsNodeWentAway()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = _ => ClientStatus.Complete;
        _cluster.Run(Specimens.Job("work", JobType.Batch, count: 3));
        _cluster.Add(Specimens.Node("bb"));

        _cluster.SetStatus("a", NodeStatus.Down);
        _cluster.Settle();

        _cluster.All("work").Count.ShouldBe(3);
    }

    [Fact]
    public void ABatchAllocationThatFailsIsTriedOnceMore()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = _ => ClientStatus.Failed;
        _cluster.Run(Specimens.Job("work", JobType.Batch));

        _cluster.Live(TimeSpan.FromSeconds(60));

        _cluster.All("work").Count.ShouldBe(2);
        _cluster.State.Job(new("default", "work"))!.Status.ShouldBe(JobStatus.Dead);
    }

    [Fact]
    public void ANewVersionOfABatchJobDoesItsWorkAnew()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Fate = _ => ClientStatus.Complete;
        _cluster.Run(Specimens.Job("work", JobType.Batch));

        _cluster.Run(Specimens.Job("work", JobType.Batch, task: t => t["Env"] = new JsonObject { ["V"] = "2" }));

        _cluster.All("work").Select(a => a.Job.Version).ShouldBe([0, 1]);
    }

    private IReadOnlyList<string> Places() => [.. _cluster.Live("sys").Select(a => a.NodeID).Order()];
}
