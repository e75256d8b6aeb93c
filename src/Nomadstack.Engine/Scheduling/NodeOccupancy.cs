// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>One place on a node.</summary>
/// <param name="Before">The one that still runs there and that <paramref name="Allocation"/> waits for; until then the place is as large as either of them.</param>
internal sealed record Occupant(Allocation Allocation, Allocation? Before = null)
{
    public Capacity Capacity { get; } = Before is null ? Capacity.Of(Allocation.AllocatedResources) : Capacity.Of(Allocation.AllocatedResources).OrMore(Capacity.Of(Before.AllocatedResources));

    public IEnumerable<AllocatedPort> Ports => PortsOf(Allocation).UnionBy(Before is null ? [] : PortsOf(Before), port => (port.HostIP, port.Value));

    private static IReadOnlyList<AllocatedPort> PortsOf(Allocation allocation) => allocation.AllocatedResources.Shared.Ports ?? [];
}

/// <summary>
/// Who takes up a node's resources. An allocation does until its client says that it is over: one that was only told to stop still has its ports
/// and its memory. Its place belongs to its own successor, which its client starts when it has ended, and to nobody else.
/// </summary>
internal static class NodeOccupancy
{
    /// <param name="stops">What a plan stops there.</param>
    /// <param name="placed">What a plan places or changes there.</param>
    /// <param name="replacing">The allocation whose successor looks for a place.</param>
    public static IReadOnlyList<Occupant> Of(StateSnapshot state, string nodeId, IReadOnlyList<StoppedAllocation> stops, IReadOnlyList<Allocation> placed, string replacing = "")
    {
        var occupants = new List<Occupant>();
        var placedIds = placed.Select(p => p.ID).ToHashSet(StringComparer.Ordinal);
        var heirs = placed.Select(p => p.PreviousAllocation).ToHashSet(StringComparer.Ordinal);
        var stopById = stops.ToDictionary(s => s.ID, StringComparer.Ordinal);
        foreach (var allocation in state.AllocationsOn(nodeId))
        {
            if (IsOver(allocation) || placedIds.Contains(allocation.ID)) continue;
            // One that leaves before its predecessor has ended never starts; the predecessor counts in its stead.
            if (!Leaves(allocation) || !(Waits(allocation) || HasHeir(allocation))) occupants.Add(new Occupant(allocation, Leaves(allocation) ? null : Before(allocation)));
        }

        occupants.AddRange(placed.Select(p => new Occupant(p, Before(p))));
        return occupants;

        bool IsOver(Allocation allocation) => allocation.ClientTerminal || stopById.GetValueOrDefault(allocation.ID)?.ClientStatus == ClientStatus.Lost;

        bool Leaves(Allocation allocation) => allocation.ServerTerminal || allocation.ID == replacing || stopById.ContainsKey(allocation.ID);

        Allocation? Before(Allocation allocation) => allocation.PreviousAllocation.Length > 0 && state.Allocation(allocation.PreviousAllocation) is { } previous && previous.NodeID == nodeId && !IsOver(previous) ? previous : null;

        bool Waits(Allocation allocation) => Before(allocation) is not null;

        bool HasHeir(Allocation allocation) => allocation.ID == replacing
            || heirs.Contains(allocation.ID)
            || (state.Allocation(allocation.NextAllocation) is { } next && next.NodeID == nodeId && !IsOver(next) && !Leaves(next));
    }
}
