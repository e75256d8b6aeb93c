// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private string? Upsert(Evaluation? evaluation) => evaluation is null ? null : Upsert([evaluation]);

    private string? Upsert(IReadOnlyList<Evaluation> evaluations)
    {
        foreach (var evaluation in evaluations) UpsertOne(evaluation);
        foreach (var job in evaluations.Select(e => e.JobKey).Distinct()) RefreshStatus(job);
        return null;
    }

    private void UpsertOne(Evaluation evaluation)
    {
        evaluation = evaluation with { CreateIndex = _state.Evaluation(evaluation.ID)?.CreateIndex ?? _index, ModifyIndex = _index };
        CountQueued(evaluation);
        // Everything is placed: whoever waited for capacity waits in vain.
        if (evaluation is { Status: EvalStatus.Complete, FailedTGAllocs: null or { Count: 0 } })
        {
            foreach (var blocked in _state.EvaluationsOf(evaluation.JobKey).Where(e => e.Status == EvalStatus.Blocked && e.ID != evaluation.ID).ToList())
                Put(blocked with { Status = EvalStatus.Canceled, StatusDescription = $"evaluation \"{evaluation.ID}\" successful", ModifyIndex = _index });
        }

        Put(evaluation);
    }

    private void CountQueued(Evaluation evaluation)
    {
        if (evaluation.QueuedAllocations is not { } queued || _state.SummaryOf(evaluation.JobKey) is not { } summary) return;
        var counted = summary;
        foreach (var (group, number) in queued)
            if (counted.Summary.TryGetValue(group, out var one) && one.Queued != number) counted = counted.With(group, one with { Queued = number }, _index);
        if (counted != summary) PutSummary(counted);
    }

    private void Put(Evaluation evaluation) => _state = _state with { Evaluations = _state.Evaluations.Put(evaluation, _index) };

    private string? ReapAll(Reap command)
    {
        var touched = new SortedSet<JobKey>();
        foreach (var id in command.EvaluationIDs)
        {
            if (_state.Evaluation(id) is { } evaluation) touched.Add(evaluation.JobKey);
            _state = _state with { Evaluations = _state.Evaluations.Remove(id, _index) };
        }

        foreach (var id in command.AllocationIDs)
        {
            if (_state.Allocation(id) is { } allocation) touched.Add(allocation.JobKey);
            _state = _state with { Allocations = _state.Allocations.Remove(id, _index) };
        }

        foreach (var id in command.DeploymentIDs) _state = _state with { Deployments = _state.Deployments.Remove(id, _index) };
        foreach (var id in command.NodeIDs) _state = _state with { Nodes = _state.Nodes.Remove(id, _index) };
        foreach (var key in command.Jobs) Forget(key);
        foreach (var key in touched) RefreshStatus(key, evaluationsDeleted: true);
        return null;
    }
}
