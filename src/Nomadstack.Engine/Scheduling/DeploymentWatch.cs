// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What a look at a deployment calls for.</summary>
internal abstract record DeploymentStep
{
    private DeploymentStep() { }

    /// <param name="NextDeadline">When it fails for want of progress; null while nothing is placed.</param>
    internal sealed record Wait(DateTimeOffset? NextDeadline) : DeploymentStep;

    /// <summary>Something became healthy, or something unhealthy may be replaced: the scheduler can go on.</summary>
    internal sealed record GoOn(IReadOnlyList<Allocation> MayBeReplaced) : DeploymentStep;

    internal sealed record Fail(string Description) : DeploymentStep;
}

/// <summary>Keeps deployments moving: the scheduler changes no more than a few allocations at a time, and somebody has to tell it that they are healthy.</summary>
internal static class DeploymentWatch
{
    /// <param name="lastSeen">The index up to which earlier steps have taken note of health.</param>
    public static DeploymentStep Decide(StateSnapshot state, Deployment deployment, long lastSeen, DateTimeOffset now)
    {
        if (!deployment.Active) return new DeploymentStep.Wait(null);
        var allocations = state.AllocationsIn(deployment.ID).ToList();
        var replaceable = new List<Allocation>();
        var goOn = false;
        foreach (var allocation in allocations)
        {
            if (!deployment.TaskGroups.TryGetValue(allocation.TaskGroup, out var group)) continue;
            if (allocation.DeploymentStatus is { Healthy: true } health && health.ModifyIndex > lastSeen) goOn = true;
            if (allocation.DeploymentStatus?.Healthy != false) continue;
            // Without a deadline for progress the first bad one is the end.
            if (group.ProgressDeadline == TimeSpan.Zero) return new DeploymentStep.Fail(DeploymentStatus.DescriptionFailedAllocations);
            if (allocation.DesiredTransition.Reschedule != true) replaceable.Add(allocation);
        }

        if (deployment.Status == DeploymentStatus.Paused) return new DeploymentStep.Wait(null);
        var deadline = deployment.TaskGroups.Where(g => !IsDone(g.Key, g.Value, allocations) && g.Value.RequireProgressBy != default).Select(g => (DateTimeOffset?)g.Value.RequireProgressBy).Min();
        if (deadline <= now) return new DeploymentStep.Fail(DeploymentStatus.DescriptionProgressDeadline);
        return goOn || replaceable.Count > 0 ? new DeploymentStep.GoOn(replaceable) : new DeploymentStep.Wait(deadline);
    }

    /// <summary>The command that carries the step out; null for waiting.</summary>
    public static Command? ToCommand(DeploymentStep step, StateSnapshot state, Deployment deployment, DateTimeOffset now, Func<string> newId)
    {
        if (step is DeploymentStep.Wait || state.Job(deployment.JobKey) is not { } job) return null;
        var evaluation = Evaluation.For(job, EvalTrigger.DeploymentWatcher, newId(), now) with { DeploymentID = deployment.ID };
        return step switch
        {
            DeploymentStep.Fail fail => new UpdateDeployment(new(deployment.ID, DeploymentStatus.Failed, fail.Description), evaluation),
            DeploymentStep.GoOn go => new UpdateDesiredTransitions(
                new SortedDictionary<string, DesiredTransition>(go.MayBeReplaced.ToDictionary(a => a.ID, _ => new DesiredTransition { Reschedule = true }), StringComparer.Ordinal), [evaluation]),
            _ => null,
        };
    }

    private static bool IsDone(string group, DeploymentState state, List<Allocation> allocations) =>
        allocations.Count(a => a.TaskGroup == group && !a.Terminal && a.DeploymentStatus?.Healthy == true) >= state.DesiredTotal;
}
