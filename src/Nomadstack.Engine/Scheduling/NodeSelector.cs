// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The node found for a group, with what it gets there.</summary>
internal sealed record Selection(Node Node, AllocatedResources Resources);

/// <summary>Finds the best node for a group of one job: those that can take it, ranked by how well it fits.</summary>
/// <param name="random">Decides between equals, and among ports.</param>
internal sealed class NodeSelector(Job job, PlanDraft draft, Random random)
{
    /// <param name="candidates">In the order in which equals are preferred.</param>
    /// <param name="replacing">The allocation whose place is free for this one.</param>
    /// <param name="avoided">Nodes where the same failed before; taken when nothing better is left.</param>
    public (Selection? Selection, AllocMetric Metrics) Select(TaskGroup group, IEnumerable<Node> candidates, IReadOnlyDictionary<string, int> available, Allocation? replacing, IReadOnlySet<string> avoided)
    {
        var metrics = new SelectionMetrics(available);
        (Selection Selection, double Score)? best = null;
        foreach (var node in candidates)
        {
            metrics.Evaluated++;
            var proposed = draft.ProposedOn(node.ID, replacing);
            if (Unfit(node, group, proposed) is { } why)
            {
                metrics.Filter(node, why);
                continue;
            }

            var (resources, exhausted) = Fit(node, group, proposed, replacing);
            if (resources is null)
            {
                metrics.Exhaust(node, exhausted!);
                continue;
            }

            var score = Score(node, group, proposed, resources, avoided);
            metrics.Score(score);
            if (best is null || score.NormScore > best.Value.Score) best = (new Selection(node, resources), score.NormScore);
        }

        return (best?.Selection, metrics.ToRecord());
    }

    /// <summary>The constraint the node does not meet; null when it meets them all.</summary>
    private string? Unfit(Node node, TaskGroup group, IReadOnlyList<Occupant> proposed)
    {
        foreach (var constraint in (job.Constraints ?? []).Concat(group.Constraints ?? []).Concat(group.Tasks.SelectMany(t => t.Constraints ?? [])))
            if (!ConstraintCheck.Meets(node, constraint)) return constraint.ToString();
        foreach (var task in group.Tasks)
            if (!HasDriver(node, task.Driver)) return "missing drivers";
        if (IsTwin(group, proposed)) return Constraint.DistinctHosts;
        return TooManyAlike(node, group);
    }

    private static bool HasDriver(Node node, string driver)
    {
        if (node.Drivers.TryGetValue(driver, out var status)) return status is { Detected: true, Healthy: true };
        return node.Attributes.GetValueOrDefault("driver." + driver) is "1" or "true" or "TRUE" or "True" or "t" or "T";
    }

    private bool IsTwin(TaskGroup group, IReadOnlyList<Occupant> proposed)
    {
        var ofJob = WantsDistinctHosts(job.Constraints);
        return (ofJob || WantsDistinctHosts(group.Constraints))
            && proposed.Any(o => o.Allocation.JobKey == job.Key && (ofJob || o.Allocation.TaskGroup == group.Name));
    }

    private static bool WantsDistinctHosts(IReadOnlyList<Constraint>? constraints) =>
        constraints?.Any(c => c.Operand == Constraint.DistinctHosts && c.RTarget != "false") ?? false;

    private string? TooManyAlike(Node node, TaskGroup group)
    {
        foreach (var (constraint, ofJob) in (job.Constraints ?? []).Select(c => (c, true)).Concat((group.Constraints ?? []).Select(c => (c, false))))
        {
            if (constraint.Operand != Constraint.DistinctProperty) continue;
            if (ConstraintCheck.Resolve(constraint.LTarget, node) is not { } value) return $"missing property \"{constraint.LTarget}\"";
            var allowed = constraint.RTarget.Length > 0 ? int.Parse(constraint.RTarget, CultureInfo.InvariantCulture) : 1;
            var alike = draft.ProposedOf(job.Key).Count(a => (ofJob || a.TaskGroup == group.Name) && draft.State.Node(a.NodeID) is { } other && ConstraintCheck.Resolve(constraint.LTarget, other) == value);
            if (alike >= allowed) return $"distinct_property: {constraint.LTarget}={value} used by {alike} allocs";
        }

        return null;
    }

    private (AllocatedResources? Resources, string? Exhausted) Fit(Node node, TaskGroup group, IReadOnlyList<Occupant> proposed, Allocation? replacing)
    {
        var shared = new AllocatedSharedResources { DiskMB = group.EphemeralDisk.SizeMB };
        if (group.Networks is [var ask, ..])
        {
            var ports = new PortIndex(node);
            foreach (var occupant in proposed) ports.Add(occupant.Ports);
            var (offer, refusal) = ports.Offer(ask, node, random);
            if (refusal is not null) return (null, $"network: {refusal}");
            shared = shared with { Ports = offer, Networks = [Granted(ask, offer, node)] };
        }

        var used = proposed.Aggregate(default(Capacity), (sum, o) => sum + o.Capacity);
        var resources = new AllocatedResources
        {
            Shared = shared,
            Tasks = group.Tasks.ToDictionary(t => t.Name, t => new AllocatedTaskResources
            {
                Cpu = new AllocatedCpu { CpuShares = t.Resources.CPU },
                Memory = new AllocatedMemory { MemoryMB = t.Resources.MemoryMB },
            }, StringComparer.Ordinal),
        };
        // The place must do for the one that still runs in it, too.
        var place = Capacity.Of(resources);
        if (replacing is { ClientTerminal: false } && replacing.NodeID == node.ID) place = place.OrMore(Capacity.Of(replacing.AllocatedResources));
        return Capacity.Of(node).Lacks(used + place) is { } dimension ? (null, dimension) : (resources, null);
    }

    private static NetworkResource Granted(NetworkResource ask, IReadOnlyList<AllocatedPort> offer, Node node)
    {
        return ask with
        {
            IP = offer.Count > 0 ? offer[0].HostIP : node.NodeResources.NodeNetworks.SelectMany(n => n.Addresses).FirstOrDefault()?.Address ?? "",
            DynamicPorts = ask.DynamicPorts is null ? null : [.. ask.DynamicPorts.Select(Filled)],
        };

        Port Filled(Port port)
        {
            var got = offer.First(o => o.Label == port.Label);
            return port with { Value = got.Value, To = got.To };
        }
    }

    private NodeScore Score(Node node, TaskGroup group, IReadOnlyList<Occupant> proposed, AllocatedResources resources, IReadOnlySet<string> avoided)
    {
        var used = proposed.Aggregate(Capacity.Of(resources), (sum, o) => sum + o.Capacity);
        var scores = new SortedDictionary<string, double>(StringComparer.Ordinal) { ["binpack"] = NodeCapacity.BinPackScore(node, used) };
        var siblings = proposed.Count(o => o.Allocation.JobKey == job.Key && o.Allocation.TaskGroup == group.Name);
        if (siblings > 0) scores["job-anti-affinity"] = -(double)(siblings + 1) / Math.Max(group.Count, 1);
        if (avoided.Contains(node.ID)) scores["node-reschedule-penalty"] = -1;
        return new NodeScore(node.ID, scores, scores.Values.Average());
    }
}
