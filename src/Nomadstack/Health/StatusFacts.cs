// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Servers;

namespace Nomadstack.Health;

/// <summary>A recorded server and what it answered; <paramref name="View"/> is null when it did not answer.</summary>
internal sealed record SeenServer(KnownServer Server, RaftView? View, int? Pid);

/// <summary>One node as seen from here.</summary>
/// <param name="NomadStatus"><c>ready|down|starting</c>.</param>
/// <param name="ConsulStatus"><c>alive|failed|none</c>.</param>
internal sealed record SeenNode(string Name, string Address, bool Reachable, string NomadStatus, string ConsulStatus, bool Eligible);

/// <summary>Everything the verdict on a cluster depends on.</summary>
/// <param name="Desired">By role: what the job asks for, or what it asked for when last seen.</param>
/// <param name="ClientWaitsFor">What this node's Nomad client is held back for; empty when it runs.</param>
/// <param name="QuorumLostFor">How long no leader has been seen; null while there is one.</param>
internal sealed record StatusFacts(
    bool HasCluster,
    bool Bootstrapping,
    IReadOnlyList<string> Roles,
    IReadOnlyDictionary<string, int> Desired,
    IReadOnlyList<SeenServer> Servers,
    IReadOnlyList<SeenNode> Nodes,
    string ClientWaitsFor,
    TimeSpan? QuorumLostFor)
{
    /// <summary>Most servers the cluster may have: 1, 3 or 5.</summary>
    public int MostServers { get; init; } = 1;
}
