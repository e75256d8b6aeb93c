// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// Merges two memberships into one. Pure, commutative, associative and idempotent, so peers may exchange in any order,
/// any number of times, and all get the same document.
/// </summary>
internal static class Merging
{
    /// <summary>Both documents in one; <paramref name="local"/> itself if <paramref name="remote"/> contains nothing new.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: the documents belong to two clusters.</exception>
    public static ClusterDocument Merge(ClusterDocument local, ClusterDocument remote)
    {
        if (local.ClusterId != remote.ClusterId || local.CaPin != remote.CaPin)
            throw new ProblemException(PeerProblems.OtherCluster(local.ClusterId, remote.ClusterId));

        var nodes = MergeEntries(local.Nodes, remote.Nodes, Compare);
        var tokens = MergeEntries(local.Tokens, remote.Tokens, Compare);
        var settings = MergeEntries(local.Registers, remote.Registers, Compare);
        var unknown = MergeEntries(local.Unknown, remote.Unknown, string.CompareOrdinal);
        // Chosen once at bootstrap, so they are equal. If they ever are not, every node must still choose the same.
        var created = local.CreatedAt <= remote.CreatedAt ? local.CreatedAt : remote.CreatedAt;
        var maxServers = Math.Max(local.FirstMaxServers, remote.FirstMaxServers);
        var whole = local.FirstWhole || remote.FirstWhole;
        // An agent that does not know the field passes on the default, so the default loses.
        var engine = string.CompareOrdinal(local.FirstEngine, remote.FirstEngine) <= 0 ? local.FirstEngine : remote.FirstEngine;
        return nodes == local.Nodes && tokens == local.Tokens && settings == local.Registers && unknown == local.Unknown && created == local.CreatedAt
               && maxServers == local.FirstMaxServers && whole == local.FirstWhole && engine == local.FirstEngine
            ? local
            : local with { CreatedAt = created, FirstMaxServers = maxServers, FirstWhole = whole, FirstEngine = engine, Nodes = nodes, Tokens = tokens, Registers = settings, Unknown = unknown };
    }


    /// <summary>
    /// Above zero if <paramref name="a"/> wins. Compares incarnation, then removal, then whether it is signed (a copy that went through an agent of
    /// release 0.1.0 is not), then the content, so that every node picks the same one, in the same order as such agents.
    /// </summary>
    public static int Compare(NodeEntry a, NodeEntry b)
    {
        if (ReferenceEquals(a, b)) return 0;
        var order = a.Incarnation.CompareTo(b.Incarnation);
        if (order == 0) order = a.Removed.CompareTo(b.Removed);
        if (order == 0) order = (a.Signed is not null).CompareTo(b.Signed is not null);
        if (order == 0) order = string.CompareOrdinal(ReleasedContent(a), ReleasedContent(b));
        return order != 0 ? order : string.CompareOrdinal(Entries.Payload(a), Entries.Payload(b));
    }

    /// <inheritdoc cref="Compare(NodeEntry, NodeEntry)"/>
    public static int Compare(TokenEntry a, TokenEntry b)
    {
        if (ReferenceEquals(a, b)) return 0;
        var order = a.Incarnation.CompareTo(b.Incarnation);
        if (order == 0) order = a.Revoked.CompareTo(b.Revoked);
        if (order == 0) order = (a.Signed is not null).CompareTo(b.Signed is not null);
        if (order == 0) order = string.CompareOrdinal(ReleasedContent(a), ReleasedContent(b));
        return order != 0 ? order : string.CompareOrdinal(Entries.Payload(a), Entries.Payload(b));
    }

    /// <summary>Above zero if <paramref name="a"/> wins: the higher version. Of two writes with one version, every node picks the same one.</summary>
    public static int Compare(Setting a, Setting b)
    {
        if (ReferenceEquals(a, b)) return 0;
        var order = a.Version.CompareTo(b.Version);
        return order != 0 ? order : string.CompareOrdinal(Entries.Payload(a), Entries.Payload(b));
    }

    /// <summary>How release 0.1.0 distinguishes versions of an entry, character by character. With another form its agents and ours would never agree on a digest.</summary>
    public static string ReleasedContent(NodeEntry entry) =>
        string.Join('\n', [entry.Id, entry.Name, entry.Address, $"{entry.Ports.Peers}", entry.KeyPin, entry.Version, entry.Removed ? "removed" : "",
            .. entry.Servers.Select(s => $"{s.Role} {s.RaftId} {s.ManagedBy} {s.State} {s.Http} {s.Rpc} {s.Serf}")]);

    /// <inheritdoc cref="ReleasedContent(NodeEntry)"/>
    public static string ReleasedContent(TokenEntry entry) =>
        $"{entry.Id}\n{entry.SecretHash}\n{entry.CreatedAt.UtcTicks}\n{entry.ExpiresAt?.UtcTicks}\n{entry.Revoked}";

    /// <summary>The fields besides the entries in which two memberships can differ.</summary>
    public static string Header(ClusterDocument document) =>
        string.Join('\n', [$"{document.CreatedAt.UtcTicks} {document.FirstMaxServers} {document.FirstWhole} {document.FirstEngine}", .. document.Unknown.OrderBy(u => u.Key, StringComparer.Ordinal).Select(u => $"{u.Key} {u.Value}")]);

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
