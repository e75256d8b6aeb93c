// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The scheduler of service and batch jobs: reconciles, then finds a node for everything that needs one.</summary>
internal static class GenericScheduler
{
    public static SchedulingAttempt Attempt(SchedulingInput input)
    {
        var (state, evaluation, job) = (input.State, input.Evaluation, input.Job);
        var draft = new PlanDraft(state);
        var existing = state.AllocationsOf(evaluation.JobKey).ToList();
        var tainted = input.TaintedNodes(existing);
        LostNodes.Mark(draft, tainted, existing);

        var deployment = evaluation.Type == JobType.Service ? state.LatestDeploymentOf(evaluation.JobKey) : null;
        var result = new Reconciler(job, evaluation, deployment, tainted, (allocation, group) => InPlaceUpdate.Of(allocation, group, input, draft), input.NewId, input.Now).Compute(existing);
        var current = result.Deployment ?? deployment;
        draft.Deployment = result.Deployment;
        draft.DeploymentUpdates.AddRange(result.DeploymentUpdates);
        draft.FollowUps.AddRange(result.FollowUps);
        foreach (var stop in result.Stop) draft.Stop(stop.Allocation, stop.Description, stop.ClientStatus);
        foreach (var update in result.UpdateInPlace) draft.Place(InDeployment(update, current));
        // One that is replaced now needs nobody to come for it later.
        var leaving = result.Stop.Select(s => s.Allocation.ID).Concat(result.Replace.Select(p => p.Previous!.ID)).ToHashSet(StringComparer.Ordinal);
        foreach (var annotated in result.Annotate.Where(a => !leaving.Contains(a.ID))) draft.Place(annotated);

        var queued = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var group in job is { Stop: false } ? job.TaskGroups : []) queued[group.Name] = 0;
        foreach (var placing in result.Replace.Concat(result.Place)) queued[placing.Group.Name]++;

        var failed = new SortedDictionary<string, AllocMetric>(StringComparer.Ordinal);
        var more = queued.Values.Any(number => number > 0) && new Placer(input, draft, current).Place(result, failed);
        var plan = draft.ToPlan(evaluation, job ?? existing.FirstOrDefault()?.Job);
        return new SchedulingAttempt(plan, failed, queued, result.Desired, current is { Active: true } ? current.ID : "") { More = more };
    }

    private static Allocation InDeployment(Allocation update, Deployment? deployment)
    {
        var id = deployment?.ID ?? "";
        return update.DeploymentID == id ? update : update with { DeploymentID = id, DeploymentStatus = null };
    }

    private sealed class Placer(SchedulingInput input, PlanDraft draft, Deployment? deployment)
    {
        private readonly NodeSelector _selector = new(input.Job!, draft, input.Random);

        /// <returns>Whether some were left for the next plan.</returns>
        public bool Place(Reconciliation wanted, SortedDictionary<string, AllocMetric> failed)
        {
            var (nodes, available) = input.ReadyNodes();
            var (placed, more) = (0, false);
            // Replacements first: what they give up counts for the others.
            foreach (var (placing, replaces) in wanted.Replace.Select(p => (p, true)).Concat(wanted.Place.Select(p => (p, false))))
            {
                if (failed.TryGetValue(placing.Group.Name, out var known))
                {
                    failed[placing.Group.Name] = known with { CoalescedFailures = known.CoalescedFailures + 1 };
                    continue;
                }

                // What takes another's place is not put off: its predecessor stops with this plan.
                if (placed >= input.MaxPlacements && (replaces || placing.Previous is null))
                {
                    more = true;
                    continue;
                }

                if (replaces) draft.Stop(placing.Previous!, StopReason.Updating);
                var (selection, metrics) = _selector.Select(placing.Group, nodes, available, placing.Previous, Rescheduling.NodesToAvoid(placing.Previous));
                if (selection is not null)
                {
                    draft.Place(Placed(placing, selection, metrics));
                    placed++;
                    continue;
                }

                failed[placing.Group.Name] = metrics;
                if (replaces) draft.UndoStop(placing.Previous!);
            }

            return more;
        }

        private Allocation Placed(Placing placing, Selection selection, AllocMetric metrics) =>
            Placements.New(input, placing.Group, placing.Name, selection, metrics) with
            {
                DeploymentID = deployment is { Active: true } && deployment.TaskGroups.ContainsKey(placing.Group.Name) ? deployment.ID : "",
                PreviousAllocation = placing.Previous?.ID ?? "",
                RescheduleTracker = placing.Reschedules ? Rescheduling.Track(placing.Previous!, input.Now) : null,
            };
    }
}

/// <summary>What every new allocation has in common.</summary>
internal static class Placements
{
    public static Allocation New(SchedulingInput input, TaskGroup group, string name, Selection selection, AllocMetric metrics) => new()
    {
        ID = input.NewId(),
        Namespace = input.Job!.Namespace,
        EvalID = input.Evaluation.ID,
        Name = name,
        NodeID = selection.Node.ID,
        NodeName = selection.Node.Name,
        JobID = input.Job.ID,
        TaskGroup = group.Name,
        AllocatedResources = selection.Resources,
        Metrics = metrics,
        DesiredStatus = DesiredStatus.Run,
        ClientStatus = ClientStatus.Pending,
    };
}

/// <summary>Allocations that were to stop on a node that went down meanwhile: no client will ever say that they did.</summary>
internal static class LostNodes
{
    public static void Mark(PlanDraft draft, IReadOnlyDictionary<string, Node?> tainted, IEnumerable<Allocation> allocations)
    {
        foreach (var allocation in allocations)
            if (allocation is { ServerTerminal: true, ClientTerminal: false } && tainted.TryGetValue(allocation.NodeID, out var node) && (node is null || node.IsDown))
                draft.Stop(allocation, StopReason.Lost, ClientStatus.Lost);
    }
}
