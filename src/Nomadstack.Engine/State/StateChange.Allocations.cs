// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private string? Apply(ApplyPlan command)
    {
        // A stopped allocation may have been collected since the plan was made, a placed one must not lack its job.
        if (command.Stopped.Any(s => _state.Allocation(s.ID) is null)) return "the plan stops an allocation that is gone";
        if (command.Placed.Any(a => a.Job is null && command.Job is null && _state.Allocation(a.ID) is null)) return "the plan places an allocation without a job";

        if (command.Deployment is { } deployment) Put(deployment with { CreateIndex = _state.Deployment(deployment.ID)?.CreateIndex ?? _index, ModifyIndex = _index });
        foreach (var update in command.DeploymentUpdates)
        {
            // It may have ended by itself meanwhile; then there is nothing left to end.
            if (_state.Deployment(update.DeploymentID) is { Active: true }) Update(update);
        }

        if (_state.Evaluation(command.EvalID) is { } evaluation) Put(evaluation with { ModifyIndex = _index });
        var now = UnixNanoseconds.Of(command.At);
        foreach (var stop in command.Stopped)
        {
            var stopped = _state.Allocation(stop.ID)!;
            UpsertFromServer(stopped with
            {
                DesiredStatus = DesiredStatus.Stop,
                DesiredDescription = stop.DesiredDescription,
                ClientStatus = stop.ClientStatus.Length > 0 ? stop.ClientStatus : stopped.ClientStatus,
                FollowupEvalID = stop.FollowupEvalID.Length > 0 ? stop.FollowupEvalID : stopped.FollowupEvalID,
                ModifyTime = now,
            });
        }

        foreach (var placed in command.Placed)
        {
            var attached = placed.Job is null && !placed.Terminal && command.Job is not null ? placed with { Job = command.Job } : placed;
            UpsertFromServer(attached with { CreateTime = placed.CreateTime == 0 ? now : placed.CreateTime, ModifyTime = now });
        }

        foreach (var job in command.Stopped.Select(s => _state.Allocation(s.ID)!.JobKey).Concat(command.Placed.Select(a => a.JobKey)).Distinct().ToList()) RefreshStatus(job);
        return Upsert(command.Evaluations);
    }

    /// <summary>The client's word on a running allocation stays, unless the servers declare it lost.</summary>
    private void UpsertFromServer(Allocation allocation)
    {
        var existing = _state.Allocation(allocation.ID);
        allocation = allocation with { CreateIndex = existing?.CreateIndex ?? _index, ModifyIndex = _index, AllocModifyIndex = _index };
        if (existing is not null)
        {
            allocation = allocation with { TaskStates = existing.TaskStates, Job = allocation.Job ?? existing.Job };
            if (allocation.ClientStatus != ClientStatus.Lost) allocation = allocation with { ClientStatus = existing.ClientStatus, ClientDescription = existing.ClientDescription };
        }

        Put(allocation, existing);
        if (allocation.PreviousAllocation.Length > 0 && _state.Allocation(allocation.PreviousAllocation) is { } previous && previous.NextAllocation != allocation.ID)
            _state = _state with { Allocations = _state.Allocations.Put(previous with { NextAllocation = allocation.ID, ModifyIndex = _index }, _index) };
    }

    private string? Update(UpdateAllocations command)
    {
        foreach (var update in command.Updates)
        {
            // Collected while its client was away: nothing to tell any more.
            if (_state.Allocation(update.ID) is not { } existing) continue;
            Put(existing with
            {
                ClientStatus = update.ClientStatus,
                ClientDescription = update.ClientDescription,
                TaskStates = update.TaskStates,
                DeploymentStatus = HealthFrom(existing.DeploymentStatus, update.DeploymentStatus),
                ModifyIndex = _index,
                ModifyTime = UnixNanoseconds.Of(command.At),
            }, existing);
        }

        foreach (var job in command.Updates.Select(u => _state.Allocation(u.ID)).OfType<Allocation>().Select(a => a.JobKey).Distinct().ToList()) RefreshStatus(job);
        return Upsert(command.Evaluations);
    }

    private string? Update(UpdateDesiredTransitions command)
    {
        foreach (var (id, transition) in command.Transitions)
        {
            if (_state.Allocation(id) is not { } existing) continue;
            Put(existing with { DesiredTransition = existing.DesiredTransition.Merge(transition), ModifyIndex = _index }, existing);
        }

        return Upsert(command.Evaluations);
    }

    /// <summary>A client says whether an allocation is healthy; it never takes that back to "undecided".</summary>
    private AllocDeploymentStatus? HealthFrom(AllocDeploymentStatus? existing, AllocDeploymentStatus? reported)
    {
        if (reported?.Healthy is null) return existing;
        if (existing is null) return reported with { ModifyIndex = _index };
        return existing.Healthy == reported.Healthy ? existing : existing with { Healthy = reported.Healthy, Timestamp = reported.Timestamp, ModifyIndex = _index };
    }

    private void Put(Allocation allocation, Allocation? existing)
    {
        CountInDeployment(allocation, existing);
        CountInSummary(allocation, existing);
        _state = _state with { Allocations = _state.Allocations.Put(allocation, _index) };
    }

    private void CountInSummary(Allocation allocation, Allocation? existing)
    {
        // A job that was purged and registered again starts counting anew.
        if (existing?.ClientStatus == allocation.ClientStatus || _state.SummaryOf(allocation.JobKey) is not { } summary || summary.CreateIndex != allocation.Job.CreateIndex) return;
        if (!summary.Summary.TryGetValue(allocation.TaskGroup, out var group)) return;
        group = group.Count(allocation.ClientStatus, 1);
        group = existing is null ? group with { Queued = Math.Max(0, group.Queued - 1) } : group.Count(existing.ClientStatus, -1);
        PutSummary(summary.With(allocation.TaskGroup, group, _index));
    }
}
