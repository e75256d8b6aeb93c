// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Who has to look again because of a node, or of what a client reports.</summary>
internal static class NodeEvaluations
{
    /// <summary>One evaluation for each job with allocations on the node, and for each system job: it may now want to be there.</summary>
    public static IReadOnlyList<Evaluation> For(StateSnapshot state, string nodeId, string trigger, DateTimeOffset now, Func<string> newId)
    {
        var jobs = new SortedDictionary<JobKey, Job>();
        foreach (var allocation in state.AllocationsOn(nodeId)) jobs.TryAdd(allocation.JobKey, state.Job(allocation.JobKey) ?? allocation.Job);
        foreach (var job in state.Jobs.All.Where(j => j is { Type: JobType.System, Stop: false })) jobs[job.Key] = job;
        return [.. jobs.Values.Select(job => Evaluation.For(job, trigger, newId(), now) with { NodeID = nodeId, NodeModifyIndex = state.Node(nodeId)?.ModifyIndex ?? 0 })];
    }

    /// <summary>Whether a change of status makes evaluations necessary: a node that is ready again may take system jobs, one that is down has lost what it ran.</summary>
    public static bool NeededFor(string before, string after) =>
        after == NodeStatus.Down || (after == NodeStatus.Ready && before is NodeStatus.Initializing or NodeStatus.Down);

    /// <summary>One evaluation for each job of which an allocation failed that may be rescheduled.</summary>
    public static IReadOnlyList<Evaluation> ForReports(StateSnapshot state, IEnumerable<ClientUpdate> updates, DateTimeOffset now, Func<string> newId)
    {
        var jobs = new SortedDictionary<JobKey, Job>();
        foreach (var update in updates.Where(u => u.ClientStatus == ClientStatus.Failed))
        {
            if (state.Allocation(update.ID) is { FollowupEvalID.Length: 0, ClientTerminal: false } allocation
                && state.Job(allocation.JobKey) is { } job && job.Group(allocation.TaskGroup) is { } group
                && Rescheduling.Allows(group.ReschedulePolicy, allocation, now))
                jobs[job.Key] = job;
        }

        return [.. jobs.Values.Select(job => Evaluation.For(job, EvalTrigger.AllocFailure, newId(), now))];
    }
}
