// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>
/// What becomes of a node that was let in and never came: its answer was lost, or its data folder was wiped before it started. Pure. Nodes of release 0.1.0 are never provisional.
/// </summary>
internal static class Provisional
{
    /// <summary>A joining node has its answer within 6 s (<c>Joining</c>) and starts at once. Afterwards it blocks no name and no address.</summary>
    public static readonly TimeSpan Blocks = TimeSpan.FromSeconds(30);

    /// <summary>So long its entry stays: it may be a machine that was cut off from its power in the middle.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromHours(1);

    public static bool Is(NodeEntry node) => node is { Removed: false, AdmittedAt: not null };

    public static bool IsOverdue(NodeEntry node, DateTimeOffset now) => Is(node) && now - node.AdmittedAt > Blocks;

    public static bool IsLost(NodeEntry node, DateTimeOffset now) => Is(node) && now - node.AdmittedAt > Kept;
}
