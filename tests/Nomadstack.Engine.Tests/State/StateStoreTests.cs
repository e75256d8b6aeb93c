// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.State;

public sealed class StateStoreTests
{
    private static readonly JobKey Web = new("default", "web");
    private static readonly DateTimeOffset Now = Specimens.Start;

    private readonly StateStore _store = new();

    [Fact]
    public void ASnapshotNeverChanges()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));
        var before = _store.Current;

        Done(new RegisterNode(Specimens.Node("bb"), Now));

        (before.Nodes.Count, before.Index, _store.Current.Nodes.Count).ShouldBe((1, 1, 2));
    }

    [Fact]
    public void EveryTableAndRowKnowsItsLastChange()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));
        Done(new RegisterJob(Specimens.Job(), Eval("e"), null));
        Done(new UpdateNodeStatus("a", NodeStatus.Ready, Now, null, []));

        var state = _store.Current;
        (state.Nodes.Index, state.Jobs.Index, state.Evaluations.Index, state.Allocations.Index, state.Index).ShouldBe((3, 2, 2, 0, 3));
        (state.Node("a")!.CreateIndex, state.Node("a")!.ModifyIndex).ShouldBe((1, 3));
        state.Evaluation("e")!.JobModifyIndex.ShouldBe(2);
    }

    [Fact]
    public void ARefusedCommandChangesNothingButTheIndex()
    {
        Done(new RegisterJob(Specimens.Job(), null, null));
        var before = _store.Current;

        Apply(new UpdateNodeStatus("nobody", NodeStatus.Ready, Now, null, [])).ShouldBe(new Applied.Refused("node not found"));
        Apply(new RegisterJob(Specimens.Job(count: 5), Eval("e"), 0)).ShouldBe(new Applied.Refused("Enforcing job modify index 0: job already exists"));

        (_store.Current with { Index = before.Index }).ShouldBe(before);
        _store.Current.Index.ShouldBe(3);
    }

    [Theory]
    [InlineData(null, 0L, "")]
    [InlineData(null, 4L, "Enforcing job modify index 4: job does not exist")]
    [InlineData(1L, 1L, "")]
    [InlineData(1L, 7L, "Enforcing job modify index 7: job exists with conflicting job modify index: 1")]
    public void AnEnforcedIndexLetsOneOfTwoWritersThrough(long? existing, long enforced, string refusal)
    {
        if (existing is not null) Done(new RegisterJob(Specimens.Job(), null, null));

        var result = Apply(new RegisterJob(Specimens.Job(count: 2), null, enforced));

        (result is Applied.Refused r ? r.Reason : "").ShouldBe(refusal);
    }

    [Fact]
    public void AJobHasVersionsTheLastSixAndTheLastStableOne()
    {
        for (var count = 1; count <= 3; count++) Done(new RegisterJob(Specimens.Job(count: count), null, null));
        Done(new SetJobStability(Web, 0, true));
        for (var count = 4; count <= 9; count++) Done(new RegisterJob(Specimens.Job(count: count), null, null));

        _store.Current.VersionsOf(Web).Select(j => (j.Version, j.Stable)).ShouldBe([(8, false), (7, false), (6, false), (5, false), (4, false), (0, true)]);
        _store.Current.Job(Web)!.Version.ShouldBe(8);
    }

    [Fact]
    public void StoppingAJobIsAVersionOfIt()
    {
        Done(new RegisterJob(Specimens.Job(), null, null));
        Done(new DeregisterJob(Web, Purge: false, Eval("e")));

        _store.Current.Job(Web)!.ShouldSatisfyAllConditions(j => j.Stop.ShouldBeTrue(), j => j.Version.ShouldBe(1), j => j.Status.ShouldBe(JobStatus.Pending));
        Done(new UpsertEvaluations([Eval("e") with { Status = EvalStatus.Complete }]));
        _store.Current.Job(Web)!.Status.ShouldBe(JobStatus.Dead);
    }

    [Fact]
    public void ACompleteEvaluationEndsThoseThatWaitedForCapacity()
    {
        Done(new UpsertEvaluations([Eval("blocked") with { Status = EvalStatus.Blocked }]));
        Done(new UpsertEvaluations([Eval("partly") with { Status = EvalStatus.Complete, FailedTGAllocs = new Dictionary<string, AllocMetric> { ["g"] = new() } }]));
        _store.Current.Evaluation("blocked")!.Status.ShouldBe(EvalStatus.Blocked);

        Done(new UpsertEvaluations([Eval("wholly") with { Status = EvalStatus.Complete }]));
        _store.Current.Evaluation("blocked")!.Status.ShouldBe(EvalStatus.Canceled);
    }

    [Fact]
    public void ANodeThatRegistersAgainKeepsItsDrainItsEligibilityAndItsStatus()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));
        Done(new UpdateNodeStatus("a", NodeStatus.Ready, Now, null, []));
        Done(new UpdateNodeDrain("a", DrainStrategy.Start(TimeSpan.FromHours(1), false, Now), false, false, Now, null, new Dictionary<string, string> { ["why"] = "x" }, []));

        Done(new RegisterNode(Specimens.Node("a") with { Status = NodeStatus.Initializing, SchedulingEligibility = NodeEligibility.Eligible, Meta = new Dictionary<string, string> { ["new"] = "1" } }, Now));

        var node = _store.Current.Node("a")!;
        (node.Status, node.SchedulingEligibility, node.DrainStrategy is null, node.Meta["new"], node.CreateIndex).ShouldBe((NodeStatus.Ready, NodeEligibility.Ineligible, false, "1", 1));
        (node.LastDrain!.Status, node.LastDrain.Meta!["why"]).ShouldBe((LastDrain.Draining, "x"));
        Apply(new UpdateNodeEligibility("a", NodeEligibility.Eligible, Now, null, [])).ShouldBeOfType<Applied.Refused>();
    }

    [Fact]
    public void ANodeKeepsItsLastTenEvents()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));
        for (var i = 0; i < 20; i++) Done(new UpdateNodeStatus("a", NodeStatus.Ready, Now, NodeEvent.Of(NodeEvent.Cluster, $"event {i}", Now), []));

        _store.Current.Node("a")!.Events.Select(e => e.Message).ShouldBe(Enumerable.Range(10, 10).Select(i => $"event {i}"));
    }

    [Fact]
    public void AClientIsBelievedOnlyInWhatItKnows()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a"));
        cluster.Run(Specimens.Job());
        cluster.SlowToStop = true;
        cluster.Stop("web");
        var allocation = cluster.All().Single();

        cluster.Commit(new UpdateAllocations([new(allocation.ID, ClientStatus.Running, "still here", allocation.TaskStates, null), new("unknown", ClientStatus.Running, "", null, null)], cluster.Now, [])).ShouldBeOfType<Applied.Done>();

        var after = cluster.All().Single();
        (after.DesiredStatus, after.ClientDescription, after.AllocModifyIndex).ShouldBe((DesiredStatus.Stop, "still here", allocation.AllocModifyIndex));
        after.ModifyIndex.ShouldBeGreaterThan(allocation.ModifyIndex);
    }

    [Fact]
    public void SettingsAreKeptAsTheyCameAndChangedOnlyByThoseWhoSawTheLast()
    {
        Done(new SetSchedulerConfiguration(Json("{\"SchedulerAlgorithm\":\"binpack\"}"), null));
        Apply(new SetSchedulerConfiguration(Json("{}"), OnlyAt: 7)).ShouldBeOfType<Applied.Refused>();
        Done(new SetSchedulerConfiguration(Json("{\"SchedulerAlgorithm\":\"spread\"}"), OnlyAt: 1));
        Done(new SetAutopilotConfiguration(Json("{\"MinQuorum\":3}"), OnlyAt: 0));

        var setting = _store.Current.SchedulerConfiguration!;
        (setting.Value.GetProperty("SchedulerAlgorithm").GetString(), setting.CreateIndex, setting.ModifyIndex).ShouldBe(("spread", 1, 3));
        _store.Current.AutopilotConfiguration!.Value.GetProperty("MinQuorum").GetInt32().ShouldBe(3);
    }

    [Fact]
    public void AnIndexComesOnce()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));

        Should.Throw<ArgumentOutOfRangeException>(() => _store.Apply(1, new RegisterNode(Specimens.Node("bb"), Now)));
    }

    [Fact]
    public async Task AQueryWaitsForAChangeOfWhatItAsksFor()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));
        var waiting = _store.WaitAsync(1, s => s.Nodes.Index, TimeSpan.FromMinutes(1), TimeProvider.System, CancellationToken.None);

        Done(new RegisterJob(Specimens.Job(), null, null));
        waiting.IsCompleted.ShouldBeFalse();
        Done(new RegisterNode(Specimens.Node("bb"), Now));

        (await waiting).Nodes.Count.ShouldBe(2);
        (await _store.WaitAsync(2, s => s.Nodes.Index, TimeSpan.FromMinutes(1), TimeProvider.System, CancellationToken.None)).Index.ShouldBe(3);
        (await _store.WaitAsync(0, s => s.Nodes.Index, TimeSpan.FromMinutes(1), TimeProvider.System, CancellationToken.None)).Index.ShouldBe(3);
    }

    [Fact]
    public async Task AQueryEndsWithItsDeadlineOrItsCaller()
    {
        using var caller = new CancellationTokenSource();
        var late = await _store.WaitAsync(10, s => s.Index, TimeSpan.FromMilliseconds(20), TimeProvider.System, CancellationToken.None);
        late.Index.ShouldBe(0);

        var left = _store.WaitAsync(10, s => s.Index, TimeSpan.FromMinutes(1), TimeProvider.System, caller.Token);
        await caller.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => left);
    }

    [Theory]
    [InlineData(null, 0, 300)]
    [InlineData(30, 0, 30)]
    [InlineData(32, 1, 34)]
    [InlineData(9999, 0, 300)]
    [InlineData(-1, 0, 300)]
    public void AWaitHasALimitAndAJitter(int? asked, double chance, double seconds) =>
        BlockingQuery.Wait(asked is { } s ? TimeSpan.FromSeconds(s) : null, chance).TotalSeconds.ShouldBe(seconds);

    [Fact]
    public void WhatIsSavedIsRestoredAndGoesOnTheSameWay()
    {
        var cluster = new Cluster();
        cluster.Add(Specimens.Node("a"), Specimens.Node("bb"));
        cluster.Run(Specimens.Job(count: 3, group: g => g["Networks"] = new JsonArray(Specimens.Network([8080], ["http"]))));
        cluster.Run(Specimens.Job(count: 2, task: t => t["Env"] = new JsonObject { ["A"] = "1" }));
        cluster.Drain("a", TimeSpan.FromHours(1));
        cluster.Live(TimeSpan.FromSeconds(20));
        cluster.Commit(new SetAutopilotConfiguration(Json("{\"MinQuorum\":3}"), null));
        using var stream = new MemoryStream();
        StateStore.Save(cluster.State, stream);

        stream.Position = 0;
        _store.Restore(stream);

        Text(_store.Current).ShouldBe(Text(cluster.State));
        (_store.Current.Allocations.Index, _store.Current.Nodes.Index).ShouldBe((cluster.State.Allocations.Index, cluster.State.Nodes.Index));
        _store.Current.AllocationsOf(Web).ShouldAllBe(a => a.Job.ID == "web");
        var command = new DeregisterJob(Web, false, Eval("e"));
        cluster.Commit(command);
        _store.Apply(_store.Current.Index + 1, command);
        Text(_store.Current).ShouldBe(Text(cluster.State));
    }

    [Fact]
    public void ADamagedSnapshotIsRefusedAndTheStateStays()
    {
        Done(new RegisterNode(Specimens.Node("a"), Now));

        foreach (var text in new[] { "", "null", "{}", "{\"Schema\":1}", "{\"Schema\":2,\"Nodes\":[]}", "{\"Schema\":1,\"Ind" })
            Should.Throw<JsonException>(() => _store.Restore(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))));

        _store.Current.Nodes.Count.ShouldBe(1);
    }

    [Fact]
    public async Task ARestoreWakesThoseWhoWait()
    {
        using var stream = new MemoryStream();
        StateStore.Save(StateSnapshot.Empty with { Index = 50 }, stream);
        stream.Position = 0;
        var waiting = _store.WaitAsync(10, s => s.Index, TimeSpan.FromMinutes(1), TimeProvider.System, CancellationToken.None);

        _store.Restore(stream);

        (await waiting).Index.ShouldBe(50);
    }

    private Applied Apply(Command command) => _store.Apply(_store.Current.Index + 1, Command.FromBytes(command.ToBytes()));

    private void Done(Command command) => Apply(command).ShouldBeOfType<Applied.Done>();

    private static Evaluation Eval(string id) => Evaluation.For(Specimens.Job(), EvalTrigger.JobRegister, id, Now);

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement.Clone();

    private static string Text(StateSnapshot state)
    {
        using var stream = new MemoryStream();
        StateStore.Save(state, stream);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }
}
