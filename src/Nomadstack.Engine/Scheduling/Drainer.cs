// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What a look at the draining nodes calls for.</summary>
/// <param name="Migrate">Allocations to be marked, so that the scheduler moves them.</param>
/// <param name="Completed">Nodes that are drained.</param>
/// <param name="NextDeadline">When to look again though nothing changed.</param>
internal sealed record DrainDecision(IReadOnlyList<Allocation> Migrate, IReadOnlyList<string> Completed, DateTimeOffset? NextDeadline)
{
    /// <summary>The commands that carry it out.</summary>
    public IEnumerable<Command> ToCommands(StateSnapshot state, DateTimeOffset now, Func<string> newId)
    {
        if (Migrate.Count > 0)
        {
            var jobs = Migrate.Select(a => state.Job(a.JobKey) ?? a.Job).DistinctBy(j => j.Key).OrderBy(j => j.Key);
            yield return new UpdateDesiredTransitions(
                new SortedDictionary<string, DesiredTransition>(Migrate.ToDictionary(a => a.ID, _ => new DesiredTransition { Migrate = true }), StringComparer.Ordinal),
                [.. jobs.Select(job => Evaluation.For(job, EvalTrigger.NodeDrain, newId(), now))]);
        }

        foreach (var node in Completed)
            yield return new UpdateNodeDrain(node, null, MarkEligible: false, Completed: true, now, NodeEvent.Of(NodeEvent.Drain, "Node drain complete", now), null, []);
    }
}

/// <summary>
/// Empties draining nodes. Of a service only so many move at a time as <c>migrate.max_parallel</c> allows, counting healthy ones everywhere; batch
/// allocations may end by themselves; system allocations go last. At the deadline everything goes.
/// </summary>
internal static class Drainer
{
    public static DrainDecision Decide(StateSnapshot state, DateTimeOffset now)
    {
        var migrate = new SortedDictionary<string, Allocation>(StringComparer.Ordinal);
        var completed = new List<string>();
        DateTimeOffset? next = null;
        var draining = state.Nodes.All.Where(n => n.DrainStrategy is not null).ToList();
        foreach (var node in draining)
        {
            var remaining = state.AllocationsOn(node.ID).Where(a => !a.ClientTerminal).ToList();
            var others = remaining.Where(a => a.Job.Type != JobType.System).ToList();
            var system = node.DrainStrategy!.IgnoreSystemJobs ? [] : remaining.Where(a => a.Job.Type == JobType.System).ToList();
            if (node.DrainStrategy.DeadlineReached(now)) Mark(others.Concat(system));
            else if (node.DrainStrategy.Deadline > TimeSpan.Zero) next = next is null || node.DrainStrategy.ForceDeadline < next ? node.DrainStrategy.ForceDeadline : next;

            if (others.Count > 0) continue;
            Mark(system);
            if (system.Count == 0) completed.Add(node.ID);
        }

        var ids = draining.Select(n => n.ID).ToHashSet(StringComparer.Ordinal);
        foreach (var job in draining.SelectMany(n => state.AllocationsOn(n.ID)).Where(a => !a.Terminal && a.Job.Type == JobType.Service).Select(a => a.JobKey).Distinct().Order())
            if (state.Job(job) is { } registered) Mark(registered.TaskGroups.SelectMany(group => Next(state, registered, group, ids)));
        return new DrainDecision([.. migrate.Values], completed, next);

        void Mark(IEnumerable<Allocation> allocations)
        {
            foreach (var allocation in allocations)
                if (!allocation.Terminal && allocation.DesiredTransition.Migrate != true) migrate[allocation.ID] = allocation;
        }
    }

    /// <summary>As many as can go while count less max_parallel stay healthy. One whose health was never found out counts as not healthy.</summary>
    private static IEnumerable<Allocation> Next(StateSnapshot state, Job job, TaskGroup group, HashSet<string> draining)
    {
        var running = state.AllocationsOf(job.Key).Where(a => a.TaskGroup == group.Name && !a.Terminal).ToList();
        var healthy = running.Count(a => a.DeploymentStatus?.Healthy is not null);
        var free = healthy - (group.Count - (group.Migrate?.MaxParallel ?? 1));
        // Those on their way already are part of what may be missing.
        var candidates = running.Where(a => draining.Contains(a.NodeID) && a.DesiredTransition.Migrate != true).OrderBy(a => a.Number).ToList();
        var underWay = running.Count(a => a.DesiredTransition.Migrate == true && a.DeploymentStatus?.Healthy is not null);
        return candidates.Take(Math.Max(0, free - underWay));
    }
}
