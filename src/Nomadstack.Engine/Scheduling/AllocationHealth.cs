// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>
/// When an allocation counts as healthy: all its tasks have run for min_healthy_time without a restart. It has until healthy_deadline;
/// a task that ended, in a job whose tasks should not end, decides it at once. Service checks are not looked at.
/// </summary>
internal static class AllocationHealth
{
    /// <summary>The verdict, or when to look again; neither for allocations of whose health nobody keeps count.</summary>
    /// <param name="watchedSince">When the client got it, or its current version.</param>
    public static (bool? Healthy, DateTimeOffset? Next) Decide(Allocation allocation, IReadOnlyDictionary<string, TaskState> tasks, DateTimeOffset watchedSince, DateTimeOffset now)
    {
        if (Terms(allocation) is not var (minimum, deadline) || allocation.DeploymentStatus?.Healthy is not null) return (null, null);
        var group = allocation.Group!;
        if (tasks.Values.Any(t => t is { State: TaskState.Dead })) return (false, null);

        var late = watchedSince + deadline;
        var running = group.Tasks.All(t => tasks.GetValueOrDefault(t.Name) is { State: TaskState.Running });
        if (running)
        {
            var since = group.Tasks.Max(t => tasks[t.Name].LastRestart ?? tasks[t.Name].StartedAt ?? now);
            var healthyAt = since + minimum;
            if (healthyAt <= now) return (true, null);
            if (now < late) return (null, healthyAt < late ? healthyAt : late);
        }

        return now >= late ? (false, null) : (null, late);
    }

    /// <summary>Under a deployment its update block counts; otherwise, for services, the migrate block, so that a drain knows what is healthy.</summary>
    private static (TimeSpan Minimum, TimeSpan Deadline)? Terms(Allocation allocation)
    {
        if (allocation.Job.Type != JobType.Service || allocation.Group is not { } group) return null;
        if (allocation.DeploymentID.Length > 0 && group.Update is { } update && !update.IsEmpty())
            return update.HealthCheck == HealthChecks.Manual ? null : (update.MinHealthyTime, update.HealthyDeadline);
        return group.Migrate is { } migrate ? (migrate.MinHealthyTime, migrate.HealthyDeadline) : null;
    }
}
