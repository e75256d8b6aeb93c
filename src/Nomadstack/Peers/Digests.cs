// SPDX-License-Identifier: MPL-2.0
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Peers;

/// <summary>
/// A document's fingerprint: one digest of the whole, and one for each of <see cref="BucketCount"/> buckets of entries,
/// so that two peers find one differing entry among hundreds by naming a handful. Computed once per snapshot.
/// </summary>
internal sealed class Digests
{
    public const int BucketCount = 64;

    private static readonly ConditionalWeakTable<ClusterDocument, Digests> s_known = new();

    private readonly SortedDictionary<string, string>[] _buckets = new SortedDictionary<string, string>[BucketCount];

    private Digests(ClusterDocument document)
    {
        for (var i = 0; i < BucketCount; i++) _buckets[i] = new(StringComparer.Ordinal);
        foreach (var (id, entry) in document.Nodes) Add(NodeKey(id), Version(entry.Incarnation, Merging.Content(entry)));
        foreach (var (id, token) in document.Tokens) Add(TokenKey(id), Version(token.Incarnation, Merging.Content(token)));
        Buckets = [.. _buckets.Select(b => b.Count == 0 ? "" : Hash(string.Join('\n', b.Select(e => e.Key + "=" + e.Value))))];
        Whole = Hash(string.Join(',', Buckets));
    }

    public string Whole { get; }

    public IReadOnlyList<string> Buckets { get; }

    public static Digests Of(ClusterDocument document) => s_known.GetValue(document, static d => new Digests(d));

    public static string NodeKey(string id) => "n:" + id;

    public static string TokenKey(string id) => "t:" + id;

    /// <summary>Key and version of each entry in a bucket.</summary>
    public IReadOnlyDictionary<string, string> Bucket(int index) => _buckets[index];

    /// <summary>The entries with these keys and no others; keys that are not there are left out.</summary>
    public static ClusterDocument Part(ClusterDocument document, IEnumerable<string> keys)
    {
        var (nodes, tokens) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>());
        foreach (var key in keys)
        {
            if (key.StartsWith("n:", StringComparison.Ordinal) && document.Nodes.TryGetValue(key[2..], out var node)) nodes[node.Id] = node;
            if (key.StartsWith("t:", StringComparison.Ordinal) && document.Tokens.TryGetValue(key[2..], out var token)) tokens[token.Id] = token;
        }

        return document with { Nodes = nodes, Tokens = tokens };
    }

    /// <summary>Incarnation that a version string begins with; -1 when it is none of ours.</summary>
    public static long IncarnationOf(string version) =>
        version.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 && long.TryParse(version.AsSpan(0, colon), out var incarnation) ? incarnation : -1;

    private static string Version(long incarnation, string content) => $"{incarnation}:{Hash(content)}";

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));

    private void Add(string key, string version) => _buckets[BucketOf(key)][key] = version;

    /// <summary>The same on every node and in every release, unlike <c>string.GetHashCode</c>.</summary>
    private static int BucketOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key))[0] % BucketCount;
}
