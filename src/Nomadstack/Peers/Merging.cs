// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// How two memberships become one. Pure, commutative, associative and idempotent, so peers may meet in any order,
/// any number of times, and all end with the same document.
/// </summary>
internal static class Merging
{
    /// <summary>Both documents in one; <paramref name="local"/> itself when <paramref name="remote"/> holds nothing new.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: the documents are of two clusters.</exception>
    public static ClusterDocument Merge(ClusterDocument local, ClusterDocument remote)
    {
        if (local.ClusterId != remote.ClusterId || local.CaPin != remote.CaPin)
            throw new ProblemException(OtherCluster(local.ClusterId, remote.ClusterId));

        var nodes = MergeEntries(local.Nodes, remote.Nodes, Compare);
        var tokens = MergeEntries(local.Tokens, remote.Tokens, Compare);
        // Chosen once at bootstrap, hence equal; were they ever not, every node must still settle on the same.
        var created = local.CreatedAt <= remote.CreatedAt ? local.CreatedAt : remote.CreatedAt;
        var maxServers = Math.Max(local.FirstMaxServers, remote.FirstMaxServers);
        var consul = local.FirstConsul || remote.FirstConsul;
        // An agent that does not know the field passes it on as if it were the default, which comes last.
        var engine = string.CompareOrdinal(local.FirstEngine, remote.FirstEngine) <= 0 ? local.FirstEngine : remote.FirstEngine;
        return nodes == local.Nodes && tokens == local.Tokens && created == local.CreatedAt
               && maxServers == local.FirstMaxServers && consul == local.FirstConsul && engine == local.FirstEngine
            ? local
            : local with { CreatedAt = created, FirstMaxServers = maxServers, FirstConsul = consul, FirstEngine = engine, Nodes = nodes, Tokens = tokens };
    }

    public static Problem OtherCluster(string ours, string theirs) =>
        new("peers/other-cluster", "A peer of another cluster was refused.", $"This node belongs to cluster {ours}, the peer to {theirs}.", "Check the address: each node must be reachable at the address it recorded, and no other machine there.") { Unsafe = true };

    /// <summary>Above zero when <paramref name="a"/> wins: by incarnation, then by removal, then by content so that every node picks the same.</summary>
    public static int Compare(NodeEntry a, NodeEntry b)
    {
        if (ReferenceEquals(a, b)) return 0;
        var order = a.Incarnation.CompareTo(b.Incarnation);
        if (order == 0) order = a.Removed.CompareTo(b.Removed);
        if (order == 0) order = string.CompareOrdinal(Content(a), Content(b));
        return order != 0 ? order : string.CompareOrdinal(JsonSerializer.Serialize(a, PeersJson.Default.NodeEntry), JsonSerializer.Serialize(b, PeersJson.Default.NodeEntry));
    }

    /// <inheritdoc cref="Compare(NodeEntry, NodeEntry)"/>
    public static int Compare(TokenEntry a, TokenEntry b)
    {
        if (ReferenceEquals(a, b)) return 0;
        var order = a.Incarnation.CompareTo(b.Incarnation);
        if (order == 0) order = a.Revoked.CompareTo(b.Revoked);
        return order != 0 ? order : string.CompareOrdinal(Content(a), Content(b));
    }

    /// <summary>What versions of an entry are told apart by. Fields that later releases add stay out of it, or old and new releases would never agree on a digest.</summary>
    public static string Content(NodeEntry entry) =>
        string.Join('\n', [entry.Id, entry.Name, entry.Address, $"{entry.Ports.Peers}", entry.KeyPin, entry.Version, entry.Removed ? "removed" : "",
            .. entry.Servers.Select(s => $"{s.Role} {s.RaftId} {s.ManagedBy} {s.State} {s.Http} {s.Rpc} {s.Serf}")]);

    /// <inheritdoc cref="Content(NodeEntry)"/>
    public static string Content(TokenEntry entry) =>
        $"{entry.Id}\n{entry.SecretHash}\n{entry.CreatedAt.UtcTicks}\n{entry.ExpiresAt?.UtcTicks}\n{entry.Revoked}";

    private static IReadOnlyDictionary<string, T> MergeEntries<T>(IReadOnlyDictionary<string, T> local, IReadOnlyDictionary<string, T> remote, Comparison<T> compare)
    {
        Dictionary<string, T>? merged = null;
        foreach (var (id, theirs) in remote)
        {
            if (local.TryGetValue(id, out var ours) && compare(ours, theirs) >= 0) continue;
            merged ??= new Dictionary<string, T>(local);
            merged[id] = theirs;
        }

        return merged ?? local;
    }
}
