// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The scheduler of system jobs: one allocation of each group on every node that can take it.</summary>
internal static class SystemScheduler
{
    public static SchedulingAttempt Attempt(SchedulingInput input)
    {
        var (state, evaluation, job) = (input.State, input.Evaluation, input.Job);
        var draft = new PlanDraft(state);
        var all = state.AllocationsOf(evaluation.JobKey).ToList();
        var tainted = input.TaintedNodes(all);
        LostNodes.Mark(draft, tainted, all);

        var (nodes, available) = input.ReadyNodes();
        var groups = job is { Stop: false } ? job.TaskGroups.Where(g => g.Count > 0).ToDictionary(g => Allocation.NameOf(job.Name, g.Name, 0), StringComparer.Ordinal) : [];
        var diff = Diff(input, groups, nodes.ToDictionary(n => n.ID, StringComparer.Ordinal), tainted, [.. all.Where(a => !a.Terminal)], draft);

        // The rest of a rolling update comes after its stagger.
        var limit = job is { Stop: false, Update: { Stagger.Ticks: > 0, MaxParallel: > 0 } } ? job.Update.MaxParallel : diff.Replace.Count;
        var now = diff.Replace.Take(limit).ToList();
        foreach (var (_, _, old) in now) draft.Stop(old!, StopReason.Updating);
        var next = diff.Replace.Count > limit ? evaluation.Follow(EvalTrigger.RollingUpdate, input.NewId(), input.Now) with { Wait = job!.Update.Stagger } : null;

        var queued = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var group in groups.Values) queued[group.Name] = 0;
        var failed = new SortedDictionary<string, AllocMetric>(StringComparer.Ordinal);
        var selector = job is null ? null : new NodeSelector(job, draft, input.Random);
        foreach (var (node, name, previous) in now.Concat(diff.Place))
        {
            var group = groups[name];
            queued[group.Name]++;
            var (selection, metrics) = selector!.Select(group, [node], available, previous, new HashSet<string>());
            if (selection is not null)
            {
                draft.Place(Placements.New(input, group, name, selection, metrics) with { PreviousAllocation = previous?.ID ?? "" });
            }
            else if (metrics.NodesFiltered > 0)
            {
                // A node that the constraints leave out is none of this job's, and no failure.
                queued[group.Name]--;
            }
            else
            {
                failed[group.Name] = failed.TryGetValue(group.Name, out var known) ? known with { CoalescedFailures = known.CoalescedFailures + 1 } : metrics;
                if (previous is { Terminal: false }) draft.UndoStop(previous);
            }
        }

        return new SchedulingAttempt(draft.ToPlan(evaluation, job ?? all.FirstOrDefault()?.Job), failed, queued, Count(groups, diff, now.Count), "", next);
    }

    private sealed record Difference(List<(Node Node, string Name, Allocation? Previous)> Place, List<(Node Node, string Name, Allocation? Previous)> Replace, List<Allocation> Stopped, List<Allocation> Ignored, List<Allocation> InPlace);

    private static Difference Diff(SchedulingInput input, Dictionary<string, TaskGroup> groups, Dictionary<string, Node> nodes, IReadOnlyDictionary<string, Node?> tainted, List<Allocation> running, PlanDraft draft)
    {
        var diff = new Difference([], [], [], [], []);
        foreach (var allocation in running)
        {
            if (tainted.TryGetValue(allocation.NodeID, out var node) && (node is null || node.IsDown)) Stop(allocation, StopReason.Lost, ClientStatus.Lost);
            else if (!groups.TryGetValue(allocation.Name, out var group)) Stop(allocation, StopReason.NotNeeded);
            else if (allocation.DesiredTransition.Migrate == true) Stop(allocation, StopReason.NodeTainted);
            // On a node that takes nothing new the old one stays as it is.
            else if (!nodes.TryGetValue(allocation.NodeID, out var ready)) diff.Ignored.Add(allocation);
            else Compare(allocation, group, ready);
        }

        var occupied = running.Select(a => (a.NodeID, a.Name)).ToHashSet();
        foreach (var node in nodes.Values)
            foreach (var name in groups.Keys.Where(name => !occupied.Contains((node.ID, name))))
                diff.Place.Add((node, name, LastOn(node, name)));
        return diff;

        void Stop(Allocation allocation, string why, string clientStatus = "")
        {
            draft.Stop(allocation, why, clientStatus);
            diff.Stopped.Add(allocation);
        }

        void Compare(Allocation allocation, TaskGroup group, Node ready)
        {
            switch (InPlaceUpdate.Of(allocation, group, input, draft))
            {
                case VersionChange.InPlace change:
                    draft.Place(change.Updated);
                    diff.InPlace.Add(allocation);
                    break;
                case VersionChange.Destructive:
                    diff.Replace.Add((ready, allocation.Name, allocation));
                    break;
                default:
                    diff.Ignored.Add(allocation);
                    break;
            }
        }

        Allocation? LastOn(Node node, string name) => input.State.AllocationsOn(node.ID).Where(a => a.JobKey == input.Evaluation.JobKey && a.Name == name && a.Terminal).MaxBy(a => a.CreateIndex);
    }

    private static SortedDictionary<string, DesiredUpdates> Count(Dictionary<string, TaskGroup> groups, Difference diff, int replaced)
    {
        var desired = new SortedDictionary<string, DesiredUpdates>(StringComparer.Ordinal);
        foreach (var name in groups.Values.Select(g => g.Name).Concat(diff.Stopped.Select(a => a.TaskGroup)).Distinct())
        {
            desired[name] = new DesiredUpdates
            {
                Place = diff.Place.Count(p => groups[p.Name].Name == name),
                Stop = diff.Stopped.Count(a => a.TaskGroup == name),
                DestructiveUpdate = diff.Replace.Take(replaced).Count(p => groups[p.Name].Name == name),
                InPlaceUpdate = diff.InPlace.Count(a => a.TaskGroup == name),
                Ignore = diff.Ignored.Count(a => a.TaskGroup == name) + diff.Replace.Skip(replaced).Count(p => groups[p.Name].Name == name),
            };
        }

        return desired;
    }
}
