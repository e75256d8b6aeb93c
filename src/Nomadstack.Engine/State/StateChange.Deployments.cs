// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private string? Update(DeploymentStatusUpdate update)
    {
        if (_state.Deployment(update.DeploymentID) is not { } deployment) return $"Deployment ID \"{update.DeploymentID}\" couldn't be updated as it does not exist";
        if (!deployment.Active) return $"Deployment \"{deployment.ID}\" has terminal status \"{deployment.Status}\":";
        Put(deployment with { Status = update.Status, StatusDescription = update.StatusDescription, ModifyIndex = _index });
        return update.Status == DeploymentStatus.Successful ? SetStability(deployment.JobKey, deployment.JobVersion, stable: true) : null;
    }

    private string? SetHealth(SetDeploymentHealth command)
    {
        if (_state.Deployment(command.DeploymentID) is not { } deployment) return $"Deployment ID \"{command.DeploymentID}\" couldn't be updated as it does not exist";
        if (!deployment.Active) return $"Deployment \"{deployment.ID}\" has terminal status \"{deployment.Status}\":";
        foreach (var (id, healthy) in command.Healthy.Select(id => (id, true)).Concat(command.Unhealthy.Select(id => (id, false))))
        {
            if (_state.Allocation(id) is not { } existing) return $"unknown alloc \"{id}\"";
            if (existing.DeploymentID != deployment.ID) return $"alloc \"{id}\" is not part of deployment \"{deployment.ID}\"";
            Put(existing with { DeploymentStatus = (existing.DeploymentStatus ?? new()) with { Healthy = healthy, Timestamp = command.At, ModifyIndex = _index }, ModifyIndex = _index }, existing);
        }

        return (command.Update is { } update ? Update(update) : null) ?? Upsert(command.Evaluation);
    }

    private void Put(Deployment deployment) => _state = _state with { Deployments = _state.Deployments.Put(deployment, _index) };

    private void CountInDeployment(Allocation allocation, Allocation? existing)
    {
        if (_state.Deployment(allocation.DeploymentID) is not { } deployment || !deployment.TaskGroups.TryGetValue(allocation.TaskGroup, out var group)) return;
        var isNew = existing?.DeploymentID != allocation.DeploymentID;
        var (before, after) = (isNew ? null : existing?.DeploymentStatus?.Healthy, isNew ? null : allocation.DeploymentStatus?.Healthy);
        if (!isNew && before == after) return;

        group = group with
        {
            PlacedAllocs = group.PlacedAllocs + (isNew ? 1 : 0),
            HealthyAllocs = group.HealthyAllocs + (after == true ? 1 : 0) - (before == true ? 1 : 0),
            UnhealthyAllocs = group.UnhealthyAllocs + (after == false ? 1 : 0) - (before == false ? 1 : 0),
            RequireProgressBy = NextProgress(group, allocation, isNew, becameHealthy: after == true && before != true),
        };
        Put(deployment.With(allocation.TaskGroup, group) with { ModifyIndex = _index });
    }

    /// <summary>The deadline runs from the first placement, and anew from every allocation that became healthy.</summary>
    private static DateTimeOffset NextProgress(DeploymentState group, Allocation allocation, bool isNew, bool becameHealthy)
    {
        if (group.ProgressDeadline == TimeSpan.Zero) return group.RequireProgressBy;
        if (isNew && group.RequireProgressBy == default) return UnixNanoseconds.ToTime(allocation.ModifyTime) + group.ProgressDeadline;
        if (!becameHealthy) return group.RequireProgressBy;
        var next = allocation.DeploymentStatus!.Timestamp + group.ProgressDeadline;
        return next > group.RequireProgressBy ? next : group.RequireProgressBy;
    }
}
