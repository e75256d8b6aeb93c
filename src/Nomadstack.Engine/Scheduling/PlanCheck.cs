// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The leader's last look at a plan, in the order of the log: what was possible when it was made may not be any more.</summary>
internal static class PlanCheck
{
    /// <summary>The part of the plan that fits the state, node by node. A node that cannot take all that is meant for it takes and gives up nothing.</summary>
    public static PlanResult Evaluate(Plan plan, StateSnapshot state)
    {
        var rejected = plan.NodeAllocation.Keys.Where(node => Misfit(plan, state, node) is not null).ToHashSet(StringComparer.Ordinal);
        // Collected while the plan was made; nothing is left to stop.
        var gone = plan.NodeUpdate.Values.SelectMany(s => s).Any(s => state.Allocation(s.ID) is null);
        if (rejected.Count == 0 && !gone) return new PlanResult(plan, 0);
        if (plan.AllAtOnce && rejected.Count > 0)
            return new PlanResult(plan with { NodeUpdate = NoStops, NodeAllocation = NoPlacements, Deployment = null, DeploymentUpdates = [], FollowUps = [] }, RefreshIndex(state));

        var committed = plan with
        {
            NodeUpdate = plan.NodeUpdate.Where(n => !rejected.Contains(n.Key)).Select(n => (n.Key, Stops: Existing(n.Value, state))).Where(n => n.Stops.Count > 0).ToDictionary(n => n.Key, n => n.Stops, StringComparer.Ordinal),
            NodeAllocation = plan.NodeAllocation.Where(n => !rejected.Contains(n.Key)).ToDictionary(n => n.Key, n => n.Value, StringComparer.Ordinal),
        };
        return new PlanResult(committed, rejected.Count > 0 ? RefreshIndex(state) : 0);
    }

    /// <summary>The command that makes it so.</summary>
    public static ApplyPlan ToCommand(Plan committed, DateTimeOffset now) => new(
        committed.EvalID,
        committed.Job,
        [.. committed.NodeUpdate.Values.SelectMany(s => s)],
        // The job travels once; the store attaches it.
        [.. committed.NodeAllocation.Values.SelectMany(a => a).Select(a => a with { Job = null! })],
        committed.Deployment,
        committed.DeploymentUpdates,
        committed.FollowUps,
        now);

    private static readonly Dictionary<string, IReadOnlyList<StoppedAllocation>> NoStops = [];
    private static readonly Dictionary<string, IReadOnlyList<Allocation>> NoPlacements = [];

    private static string? Misfit(Plan plan, StateSnapshot state, string nodeId)
    {
        var planned = plan.NodeAllocation[nodeId];
        // What is there already may be changed on any node.
        if (planned.All(a => state.Allocation(a.ID) is not null)) return null;
        if (state.Node(nodeId) is not { } node) return "node does not exist";
        if (node.Status != NodeStatus.Ready) return "node is not ready for placements";
        if (node.SchedulingEligibility == NodeEligibility.Ineligible) return "node is not eligible";

        return NodeCapacity.Misfit(node, NodeOccupancy.Of(state, nodeId, plan.NodeUpdate.GetValueOrDefault(nodeId) ?? [], planned));
    }

    private static IReadOnlyList<StoppedAllocation> Existing(IReadOnlyList<StoppedAllocation> stops, StateSnapshot state) => [.. stops.Where(s => state.Allocation(s.ID) is not null)];

    private static long RefreshIndex(StateSnapshot state) => Math.Max(1, Math.Max(state.Nodes.Index, state.Allocations.Index));
}
