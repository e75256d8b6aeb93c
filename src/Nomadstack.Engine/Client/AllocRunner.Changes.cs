// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What follows a change of a task: it is written down, the others are ended when it failed, the health is looked at and the servers are told.</summary>
internal sealed partial class AllocRunner
{
    /// <summary>Written down before this returns; the rest follows on its own time, since it may end the very task that calls.</summary>
    private void Changed()
    {
        if (_saving) Save();
        _changes.Writer.TryWrite(true);
    }

    private void Save()
    {
        lock (_gate)
        {
            if (!_saving) return;
            try
            {
                _state.Save(new AllocRecord { Allocation = Allocation, Tasks = _tasks.ToDictionary(t => t.Key, t => t.Value.Record), DeploymentStatus = _health });
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A full disk is no reason to end a running task; the next change is written again.
                _log.LogError(e, "The state of allocation {Allocation} could not be written. A client that starts now does not find the allocation's tasks", Allocation.ID);
            }
        }
    }

    private async Task FollowAsync(ITimer health, CancellationToken done)
    {
        try
        {
            await foreach (var _ in _changes.Reader.ReadAllAsync(done)) HandleStates(health);
        }
        catch (OperationCanceledException) when (done.IsCancellationRequested)
        {
            // The last change is handled by whoever ends this.
        }
    }

    private void HandleStates(ITimer health)
    {
        if (_tasks.Values.FirstOrDefault(t => t.State is { State: TaskState.Dead, Failed: true }) is { } failed && !_killed.Task.IsCompleted)
        {
            var live = _tasks.Values.Where(t => !t.Dead).ToList();
            foreach (var task in live) task.Emit(_events.SiblingFailed(failed.Name));
            if (live.Count > 0) Kill();
        }

        LookAtHealth(health);
        _report(Report());
    }

    private void LookAtHealth(ITimer health)
    {
        if (Allocation.ServerTerminal) return;
        var now = _site.Time.GetUtcNow();
        var (healthy, next) = AllocationHealth.Decide(Allocation with { DeploymentStatus = _health }, States, _watchedSince, now);
        if (healthy is { } verdict)
        {
            _health = new AllocDeploymentStatus { Healthy = verdict, Timestamp = now, Canary = Allocation.DeploymentStatus?.Canary ?? false };
            if (!verdict && Allocation.DeploymentID.Length > 0) TellUnhealthy();
            Save();
        }

        health.Change(healthy is null && next is { } at ? at - now : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private void TellUnhealthy()
    {
        var minimum = Allocation.Group?.Update?.MinHealthyTime ?? TimeSpan.Zero;
        foreach (var task in _tasks.Values)
        {
            task.Emit(_events.AllocUnhealthy(task.State switch
            {
                { Failed: true } => "Unhealthy because of failed task",
                { State: TaskState.Pending } => "Task not running by deadline",
                { State: TaskState.Dead } => "Unhealthy because of dead task",
                _ => $"Task not running for min_healthy_time of {GoDuration.Format(minimum)} by deadline",
            }));
        }
    }
}
