// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Amounts that a node has or an allocation takes.</summary>
internal readonly record struct Capacity(long CpuShares, long MemoryMB, long DiskMB)
{
    public static Capacity operator +(Capacity left, Capacity right) => new(left.CpuShares + right.CpuShares, left.MemoryMB + right.MemoryMB, left.DiskMB + right.DiskMB);

    /// <summary>The larger of each.</summary>
    public Capacity OrMore(Capacity other) => new(Math.Max(CpuShares, other.CpuShares), Math.Max(MemoryMB, other.MemoryMB), Math.Max(DiskMB, other.DiskMB));

    public static Capacity Of(AllocatedResources resources) => new(
        resources.Tasks.Values.Sum(t => t.Cpu.CpuShares), resources.Tasks.Values.Sum(t => t.Memory.MemoryMB), resources.Shared.DiskMB);

    /// <summary>What the node has, less what it keeps for itself.</summary>
    public static Capacity Of(Node node) => new(
        node.NodeResources.Cpu.CpuShares - node.ReservedResources.Cpu.CpuShares,
        node.NodeResources.Memory.MemoryMB - node.ReservedResources.Memory.MemoryMB,
        node.NodeResources.Disk.DiskMB - node.ReservedResources.Disk.DiskMB);

    /// <summary>The first dimension in which this is not enough; null when it is.</summary>
    public string? Lacks(Capacity used) =>
        used.CpuShares > CpuShares ? "cpu"
        : used.MemoryMB > MemoryMB ? "memory"
        : used.DiskMB > DiskMB ? "disk"
        : null;
}

/// <summary>Whether allocations fit on a node together.</summary>
internal static class NodeCapacity
{
    private const double MaxScore = 18;

    /// <summary>Why they do not; null when they do.</summary>
    public static string? Misfit(Node node, IEnumerable<Occupant> occupants)
    {
        var used = default(Capacity);
        var ports = new PortIndex(node);
        foreach (var occupant in occupants)
        {
            used += occupant.Capacity;
            if (ports.Add(occupant.Ports) is { } collision) return $"reserved port collision {collision.Label}={collision.Value}";
        }

        return Capacity.Of(node).Lacks(used);
    }

    /// <summary>From 0 for an empty node to 1 for a full one: what is packed tightly leaves room elsewhere (BestFit v3).</summary>
    public static double BinPackScore(Node node, Capacity used)
    {
        var all = Capacity.Of(node);
        var freeCpu = all.CpuShares > 0 ? 1 - (double)used.CpuShares / all.CpuShares : 0;
        var freeMemory = all.MemoryMB > 0 ? 1 - (double)used.MemoryMB / all.MemoryMB : 0;
        return Math.Clamp(20 - Math.Pow(10, freeCpu) - Math.Pow(10, freeMemory), 0, MaxScore) / MaxScore;
    }
}
