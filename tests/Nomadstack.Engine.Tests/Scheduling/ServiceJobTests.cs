// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

public sealed class ServiceJobTests
{
    private readonly Cluster _cluster = new();

    [Fact]
    public void PlacesTheCountWithNumberedNames()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("b"));

        _cluster.Run(Specimens.Job(count: 3)).Status.ShouldBe(JobStatus.Running);

        _cluster.Live().Select(a => a.Name).ShouldBe(["web.g[0]", "web.g[1]", "web.g[2]"]);
        _cluster.State.SummaryOf(new("default", "web"))!.Summary["g"].ShouldBe(new TaskGroupSummary { Running = 3 });
        var evaluation = _cluster.State.EvaluationsOf(new("default", "web")).First(e => e.TriggeredBy == EvalTrigger.JobRegister);
        evaluation.Status.ShouldBe(EvalStatus.Complete);
        evaluation.QueuedAllocations!["g"].ShouldBe(0);
    }

    [Fact]
    public void ALargeCountIsPlacedInSeveralPlansOfOneEvaluation()
    {
        for (var i = 0; i < 10; i++) _cluster.Add(Specimens.Node($"n{i}", cpu: 40_000, memory: 400_000));

        _cluster.Run(Specimens.Job(count: 2500));

        _cluster.State.AllocationsOf(new("default", "web")).CountBy(a => a.CreateIndex).OrderBy(p => p.Key).Select(p => p.Value).ShouldBe([1024, 1024, 452]);
        _cluster.State.AllocationsOf(new("default", "web")).Select(a => a.Name).Distinct().Count().ShouldBe(2500);
        var evaluation = _cluster.State.EvaluationsOf(new("default", "web")).First(e => e.TriggeredBy == EvalTrigger.JobRegister);
        (evaluation.Status, evaluation.QueuedAllocations!["g"], evaluation.BlockedEval).ShouldBe((EvalStatus.Complete, 0, ""));
    }

    [Fact]
    public void AJobOfBeforeThereWasALimitIsPlacedAsFarAsThatGoes()
    {
        _cluster.Add(Specimens.Node("a"));

        var job = Specimens.Job();
        _cluster.Run(job with { TaskGroups = [job.TaskGroups[0] with { Count = 2_000_000_000 }] });

        _cluster.Live().Count.ShouldBeGreaterThan(1);
        _cluster.State.EvaluationsOf(new("default", "web")).ShouldContain(e => e.Status == EvalStatus.Blocked);
    }

    [Fact]
    public void StopsTheHighestNumbersWhenTheCountGoesDownAndFillsTheLowestWhenItGoesUp()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("b"));
        _cluster.Run(Specimens.Job(count: 4));
        var before = _cluster.Live().Select(a => a.ID).ToList();

        _cluster.Run(Specimens.Job(count: 2));
        _cluster.Live().Select(a => a.ID).ShouldBe(before.Take(2));

        _cluster.Run(Specimens.Job(count: 3));
        _cluster.Live().Select(a => a.Number).ShouldBe([0, 1, 2]);
        _cluster.Live().Take(2).Select(a => a.ID).ShouldBe(before.Take(2));
    }

    [Fact]
    public void RegisteringTheSameJobAgainChangesNothing()
    {
        _cluster.Add(Specimens.Node("a"));
        var first = _cluster.Run(Specimens.Job(count: 2));
        _cluster.Live(TimeSpan.FromSeconds(15));
        var ids = _cluster.Live().Select(a => (a.ID, a.AllocModifyIndex)).ToList();

        var again = _cluster.Run(Specimens.Job(count: 2) with { SubmitTime = 12345 });

        (again.Version, again.JobModifyIndex).ShouldBe((first.Version, first.JobModifyIndex));
        _cluster.Live().Select(a => (a.ID, a.AllocModifyIndex)).ShouldBe(ids);
    }

    [Fact]
    public void ChangesInPlaceWhatDoesNotTouchTheTasks()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 2, group: g => g["Networks"] = new JsonArray(Specimens.Network(dynamic: ["http"]))));
        _cluster.Live(TimeSpan.FromSeconds(15));
        var before = _cluster.Live();

        var job = _cluster.Run(Specimens.Job(count: 2, group: g =>
        {
            g["Networks"] = new JsonArray(Specimens.Network(dynamic: ["http"]));
            g["RestartPolicy"] = new JsonObject { ["Attempts"] = 7 };
        }));

        _cluster.Live().Select(a => a.ID).ShouldBe(before.Select(a => a.ID));
        _cluster.Live().ShouldAllBe(a => a.Job.Version == job.Version && a.Job.TaskGroups[0].RestartPolicy.Attempts == 7);
        _cluster.Live().Select(a => a.AllocatedResources.Shared.Ports![0].Value).ShouldBe(before.Select(a => a.AllocatedResources.Shared.Ports![0].Value));
    }

    public static TheoryData<string> Destructive => ["config", "env", "cpu", "driver", "meta", "disk", "port"];

    [Theory]
    [MemberData(nameof(Destructive))]
    public void ReplacesWhatCannotBeChangedInPlace(string what)
    {
        _cluster.Add(Specimens.Node("a") with { Drivers = new Dictionary<string, DriverStatus> { ["raw_exec"] = new() { Detected = true, Healthy = true }, ["exec"] = new() { Detected = true, Healthy = true } } });
        _cluster.Run(Specimens.Job());
        _cluster.Live(TimeSpan.FromSeconds(15));
        var old = _cluster.Live().Single();

        _cluster.Run(what switch
        {
            "config" => Specimens.Job(task: t => t["Config"]!["command"] = "/bin/false"),
            "env" => Specimens.Job(task: t => t["Env"] = new JsonObject { ["A"] = "1" }),
            "cpu" => Specimens.Job(task: t => t["Resources"]!["CPU"] = 101),
            "driver" => Specimens.Job(task: t => t["Driver"] = "exec"),
            "meta" => Specimens.Job(job: j => j["Meta"] = new JsonObject { ["a"] = "1" }),
            "disk" => Specimens.Job(group: g => g["EphemeralDisk"] = new JsonObject { ["SizeMB"] = 301 }),
            _ => Specimens.Job(group: g => g["Networks"] = new JsonArray(Specimens.Network([8080]))),
        });

        var replacement = _cluster.Live().Single();
        replacement.ID.ShouldNotBe(old.ID);
        (replacement.Name, replacement.PreviousAllocation).ShouldBe((old.Name, old.ID));
        var stopped = _cluster.State.Allocation(old.ID)!;
        (stopped.DesiredStatus, stopped.DesiredDescription, stopped.NextAllocation).ShouldBe((DesiredStatus.Stop, StopReason.Updating, replacement.ID));
    }

    [Fact]
    public void UpdatesNoMoreThanMaxParallelUntilTheNewOnesAreHealthy()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("b"));
        _cluster.Run(Specimens.Job(count: 5, group: Update));
        _cluster.Live(TimeSpan.FromSeconds(15));

        _cluster.Run(Specimens.Job(count: 5, group: Update, task: t => t["Env"] = new JsonObject { ["V"] = "2" }));
        _cluster.Live().Count(a => a.Job.Version == 1).ShouldBe(2);
        _cluster.Live(TimeSpan.FromSeconds(9));
        _cluster.Live().Count(a => a.Job.Version == 1).ShouldBe(2);
        _cluster.Live(TimeSpan.FromSeconds(1));
        _cluster.Live().Count(a => a.Job.Version == 1).ShouldBe(4);
        _cluster.Live(TimeSpan.FromSeconds(21));

        _cluster.Live().Count(a => a.Job.Version == 1).ShouldBe(5);
        _cluster.State.LatestDeploymentOf(new("default", "web"))!.Status.ShouldBe(DeploymentStatus.Successful);
        _cluster.State.Job(new("default", "web"))!.Stable.ShouldBeTrue();

        static void Update(JsonObject group) => group["Update"] = new JsonObject { ["MaxParallel"] = 2, ["MinHealthyTime"] = Specimens.Seconds(10) };
    }

    [Fact]
    public void AnUpdateThatNeverGetsHealthyStopsAtItsFirstStepAndFailsAtItsDeadline()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 3, group: Update));
        _cluster.Live(TimeSpan.FromSeconds(15));
        _cluster.Fate = a => a.Job.Version == 1 ? ClientStatus.Failed : ClientStatus.Running;

        _cluster.Run(Specimens.Job(count: 3, group: Update, task: t => t["Env"] = new JsonObject { ["V"] = "2" }));
        _cluster.Live(TimeSpan.FromSeconds(100));

        _cluster.Live().Count(a => a.Job.Version == 0).ShouldBe(2);
        var deployment = _cluster.State.LatestDeploymentOf(new("default", "web"))!;
        (deployment.Status, deployment.StatusDescription).ShouldBe((DeploymentStatus.Failed, DeploymentStatus.DescriptionProgressDeadline));

        static void Update(JsonObject group) => group["Update"] = new JsonObject { ["MaxParallel"] = 1, ["MinHealthyTime"] = Specimens.Seconds(5), ["HealthyDeadline"] = Specimens.Seconds(30), ["ProgressDeadline"] = Specimens.Seconds(60) };
    }

    [Fact]
    public void KeepsTheOldOneWhenThereIsNoRoomForTheNew()
    {
        _cluster.Add(Specimens.Node("a", cpu: 150));
        _cluster.Run(Specimens.Job());
        _cluster.Live(TimeSpan.FromSeconds(15));
        var old = _cluster.Live().Single();

        _cluster.Run(Specimens.Job(task: t => t["Resources"]!["CPU"] = 200));

        _cluster.Live().Single().ID.ShouldBe(old.ID);
        _cluster.State.EvaluationsOf(new("default", "web")).Count(e => e.Status == EvalStatus.Blocked).ShouldBe(1);
    }

    [Fact]
    public void StopsEverythingWithTheJobAndForgetsItWhenItIsPurged()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 2));

        _cluster.Stop("web");
        _cluster.Live().ShouldBeEmpty();
        _cluster.State.Job(new("default", "web"))!.ShouldSatisfyAllConditions(j => j.Stop.ShouldBeTrue(), j => j.Status.ShouldBe(JobStatus.Dead));

        _cluster.Run(Specimens.Job(count: 2));
        _cluster.Live().Count.ShouldBe(2);
        _cluster.Stop("web", purge: true);
        _cluster.Live().ShouldBeEmpty();
        _cluster.State.Job(new("default", "web")).ShouldBeNull();
    }

    [Fact]
    public void WaitsForCapacityAndTakesItWhenItComes()
    {
        _cluster.Add(Specimens.Node("a", cpu: 250));

        _cluster.Run(Specimens.Job(count: 4));
        _cluster.Live().Count.ShouldBe(2);
        var blocked = _cluster.State.EvaluationsOf(new("default", "web")).Single(e => e.Status == EvalStatus.Blocked);
        blocked.FailedTGAllocs!["g"].DimensionExhausted!["cpu"].ShouldBe(1);
        blocked.FailedTGAllocs["g"].CoalescedFailures.ShouldBe(1);
        _cluster.State.SummaryOf(new("default", "web"))!.Summary["g"].Queued.ShouldBe(2);

        _cluster.Add(Specimens.Node("bb"));
        _cluster.Settle();

        _cluster.Live().Count.ShouldBe(4);
        _cluster.State.EvaluationsOf(new("default", "web")).ShouldAllBe(e => e.Terminal);
        _cluster.State.SummaryOf(new("default", "web"))!.Summary["g"].Queued.ShouldBe(0);
    }

    [Fact]
    public void TakesNoPortAndNoRoomThatAStoppingAllocationStillHolds()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job("one", group: g => g["Networks"] = new JsonArray(Specimens.Network([8080]))));
        _cluster.SlowToStop = true;
        _cluster.Stop("one");

        _cluster.Run(Specimens.Job("two", group: g => g["Networks"] = new JsonArray(Specimens.Network([8080]))));
        _cluster.Live("two").ShouldBeEmpty();

        _cluster.SlowToStop = false;
        _cluster.Settle();
        _cluster.Live("two").Count.ShouldBe(1);
    }

    [Fact]
    public void ReplacesWhatItsNodeLost()
    {
        _cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        _cluster.Run(Specimens.Job(count: 2, job: j => j["Constraints"] = new JsonArray(Specimens.Constraint("", "distinct_hosts", "true"))));
        _cluster.Add(Specimens.Node("ccc"));
        var lost = _cluster.Live().Single(a => a.NodeID == "a");
        _cluster.Silent.Add("a");

        _cluster.Live(TimeSpan.FromSeconds(29));

        _cluster.State.Node("a")!.Status.ShouldBe(NodeStatus.Down);
        var gone = _cluster.State.Allocation(lost.ID)!;
        (gone.DesiredStatus, gone.ClientStatus, gone.DesiredDescription).ShouldBe((DesiredStatus.Stop, ClientStatus.Lost, StopReason.Lost));
        _cluster.Live().Select(a => a.NodeID).Order().ShouldBe(["bb", "ccc"]);
        _cluster.Live().Single(a => a.NodeID == "ccc").ShouldSatisfyAllConditions(a => a.Name.ShouldBe(lost.Name), a => a.PreviousAllocation.ShouldBe(lost.ID));
    }

    [Fact]
    public void LeavesWhatRunsOnAnIneligibleNodeAndPutsNothingNewThere()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job());
        _cluster.SetEligible("a", false);

        _cluster.Run(Specimens.Job(count: 2));
        _cluster.Live().Count.ShouldBe(1);

        _cluster.SetEligible("a", true);
        _cluster.Settle();
        _cluster.Live().Count.ShouldBe(2);
    }

    [Fact]
    public void MovesWhatAnOperatorStops()
    {
        _cluster.Add(Specimens.Node("a"));
        var job = _cluster.Run(Specimens.Job());
        var old = _cluster.Live().Single();

        _cluster.Commit(new UpdateDesiredTransitions(new Dictionary<string, DesiredTransition> { [old.ID] = new() { Migrate = true } }, [Evaluation.For(job, EvalTrigger.AllocStop, _cluster.NewId(), _cluster.Now)]));
        _cluster.Settle();

        _cluster.Live().Single().ShouldSatisfyAllConditions(a => a.ID.ShouldNotBe(old.ID), a => a.PreviousAllocation.ShouldBe(old.ID));
        _cluster.State.Allocation(old.ID)!.ClientStatus.ShouldBe(ClientStatus.Complete);
    }

    [Fact]
    public void ReplacesWhatRanOnANodeThatIsPurged()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job());
        _cluster.Add(Specimens.Node("bb"));

        _cluster.Commit(new DeregisterNodes(["a"], NodeEvaluations.For(_cluster.State, "a", EvalTrigger.NodeUpdate, _cluster.Now, _cluster.NewId)));
        _cluster.Settle();

        _cluster.Live().Single().NodeID.ShouldBe("bb");
        _cluster.All()[0].ClientStatus.ShouldBe(ClientStatus.Lost);
    }

    [Fact]
    public void TellsWhatItWouldDoWithoutDoingIt()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(count: 3));
        var changed = Specimens.Job(count: 2, task: t => t["Env"] = new JsonObject { ["A"] = "1" });

        // As `job plan` does: the change is applied to a copy of the state.
        var (would, _) = StateChange.Apply(_cluster.State, _cluster.State.Index + 1, new RegisterJob(changed, null, null));
        var attempt = SchedulerRun.Attempt(new SchedulingInput(would, Evaluation.For(changed, EvalTrigger.JobRegister, "plan", _cluster.Now), _cluster.Now, _cluster.NewId, new Random(1)));

        attempt.Desired["g"].ShouldBe(new DesiredUpdates { Stop = 1, DestructiveUpdate = 1, Ignore = 1 });
        attempt.Failed.ShouldBeEmpty();
        _cluster.Live().Count.ShouldBe(3);
    }

    [Fact]
    public void DoesNotSpeakOfHealthWhereNobodyAsks()
    {
        _cluster.Add(Specimens.Node("a"));
        _cluster.Run(Specimens.Job(group: g => g["Update"] = new JsonObject { ["MaxParallel"] = 0 }));

        _cluster.State.Deployments.All.ShouldBeEmpty();
    }
}
