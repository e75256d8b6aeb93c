// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Operations;

namespace Nomadstack.Node;

/// <summary>A drained node as the cluster has it.</summary>
/// <param name="LeaderKnown">A leader answered; without one nothing else here is known.</param>
/// <param name="NodeKnown">The scheduler knows the node.</param>
/// <param name="Draining">Allocations are still to stop.</param>
/// <param name="Eligible">The node takes allocations: somebody ended the drain.</param>
/// <param name="Left">Titles of the products whose servers are still there.</param>
/// <param name="NobodyCanTakeThem">As many servers are wanted as there are other nodes for them, or more.</param>
internal sealed record DrainFacts(bool LeaderKnown, bool NodeKnown, bool Draining, bool Eligible, IReadOnlyList<string> Left, bool NobodyCanTakeThem);

/// <summary>Where a drain is. Both steps are the node's own agent's and the scheduler's to do.</summary>
internal enum DrainStep
{
    StopAllocations,
    MoveServers,
}

internal static class DrainDecision
{
    /// <summary>Pure and total. Done is said only when no server is left, or when it is plain that none can move.</summary>
    public static Next<DrainStep> Next(DrainFacts facts, string node) => facts switch
    {
        { LeaderKnown: false } => new Next<DrainStep>.Step(DrainStep.StopAllocations, $"drain {node}: its allocations move"),
        { NodeKnown: false } => new Next<DrainStep>.Refused(NodeProblems.DrainedNodeGone(node)),
        { Draining: true } => new Next<DrainStep>.Step(DrainStep.StopAllocations, $"drain {node}: its allocations move"),
        { Left.Count: 0 } => new Next<DrainStep>.Done(),
        { Eligible: true } => new Next<DrainStep>.Refused(NodeProblems.DrainEnded(node)),
        { NobodyCanTakeThem: true } => new Next<DrainStep>.Done($"{string.Join(" and ", facts.Left)} stay on {node} until another node can take them: the cluster has no other eligible node for this number of servers"),
        _ => new Next<DrainStep>.Step(DrainStep.MoveServers, $"move the servers of {node}"),
    };
}
