// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Finds out whether an allocation can become one of the job's current version without being replaced.</summary>
internal static class InPlaceUpdate
{
    private static readonly IReadOnlyDictionary<string, int> NoDatacenters = new Dictionary<string, int>();

    public static VersionChange Of(Allocation allocation, TaskGroup group, SchedulingInput input, PlanDraft draft)
    {
        var job = input.Job!;
        if (allocation.Job.JobModifyIndex == job.JobModifyIndex) return new VersionChange.None();
        if (allocation.Group is null || TaskChanges.NeedReplacement(allocation.Job, job, group.Name)) return new VersionChange.Destructive();
        if (allocation.Terminal) return new VersionChange.None();
        if (input.State.Node(allocation.NodeID) is not { } node || !IsInDatacenter(node, job)) return new VersionChange.Destructive();

        // Its own claim must not stand in its own way.
        var (selection, _) = new NodeSelector(job, draft, input.Random).Select(group, [node], NoDatacenters, allocation, new HashSet<string>());
        if (selection is null) return new VersionChange.Destructive();

        // Ports stay: a change to them would have needed a replacement.
        var kept = allocation.AllocatedResources.Shared;
        return new VersionChange.InPlace(allocation with
        {
            EvalID = input.Evaluation.ID,
            Job = null!,
            AllocatedResources = selection.Resources with { Shared = selection.Resources.Shared with { Ports = kept.Ports, Networks = kept.Networks } },
        });
    }

    private static bool IsInDatacenter(Node node, Job job) => job.Datacenters.Contains(node.Datacenter) || job.Datacenters.Any(d => d.Contains('*'));
}
