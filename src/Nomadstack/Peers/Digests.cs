// SPDX-License-Identifier: MPL-2.0
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Peers;

/// <summary>
/// A document's fingerprint: one digest of the whole document, and one for each of <see cref="BucketCount"/> buckets of entries,
/// so that two peers find one differing entry among hundreds with few messages. Computed once per snapshot.
/// </summary>
internal sealed class Digests
{
    public const int BucketCount = 64;

    /// <summary>Key of the fields that are not entries.</summary>
    public const string HeaderKey = "d:";

    private static readonly ConditionalWeakTable<ClusterDocument, Digests> s_known = new();
    private static readonly ConditionalWeakTable<ClusterDocument, Digests> s_released = new();

    private readonly SortedDictionary<string, string>[] _buckets = new SortedDictionary<string, string>[BucketCount];

    private Digests(ClusterDocument document, bool released)
    {
        Document = document;
        for (var i = 0; i < BucketCount; i++) _buckets[i] = new(StringComparer.Ordinal);
        foreach (var (id, entry) in document.Nodes) Add(NodeKey(id), Version(entry.Incarnation, released ? Hash(Merging.ReleasedContent(entry)) : Entries.Hash(entry)));
        foreach (var (id, token) in document.Tokens) Add(TokenKey(id), Version(token.Incarnation, released ? Hash(Merging.ReleasedContent(token)) : Entries.Hash(token)));
        if (!released)
        {
            foreach (var (name, setting) in document.Registers) Add(SettingKey(name), Version(setting.Version, Entries.Hash(setting)));
            Add(HeaderKey, Version(0, Hash(Merging.Header(document))));
        }

        Buckets = [.. _buckets.Select(b => b.Count == 0 ? "" : Hash(string.Join('\n', b.Select(e => e.Key + "=" + e.Value))))];
        Whole = Hash(string.Join(',', Buckets));
    }

    /// <summary>What is digested.</summary>
    public ClusterDocument Document { get; }

    public string Whole { get; }

    public IReadOnlyList<string> Buckets { get; }

    public static Digests Of(ClusterDocument document) => s_known.GetValue(document, static d => new Digests(d, released: false));

    /// <summary>As agents of release 0.1.0 compute them: over the fields they know, and over the carriers they keep for us.</summary>
    public static Digests OfReleased(ClusterDocument document) => s_released.GetValue(document, static d => new Digests(Carriers.ForReleased(d), released: true));

    public static string NodeKey(string id) => "n:" + id;

    public static string TokenKey(string id) => "t:" + id;

    public static string SettingKey(string name) => "s:" + name;

    /// <summary>Key and version of each entry in a bucket.</summary>
    public IReadOnlyDictionary<string, string> Bucket(int index) => _buckets[index];

    public bool Has(string key) => _buckets[BucketOf(key)].ContainsKey(key);

    public string? VersionOf(string key) => _buckets[BucketOf(key)].GetValueOrDefault(key);

    /// <summary>Only the entries with these keys, as many as fit into a message. Unknown keys are left out.</summary>
    public ClusterDocument Part(IEnumerable<string> keys)
    {
        var (nodes, tokens, settings) = (new Dictionary<string, NodeEntry>(), new Dictionary<string, TokenEntry>(), new Dictionary<string, Setting>());
        var bytes = 0;
        foreach (var key in keys.Take(SyncLimits.Entries))
        {
            var id = key.Length > 2 ? key[2..] : "";
            if (key.StartsWith("n:", StringComparison.Ordinal) && Document.Nodes.TryGetValue(id, out var node)) bytes += Entries.Canonical((nodes[id] = node)).Length;
            if (key.StartsWith("t:", StringComparison.Ordinal) && Document.Tokens.TryGetValue(id, out var token)) bytes += Entries.Canonical((tokens[id] = token)).Length;
            if (key.StartsWith("s:", StringComparison.Ordinal) && Document.Registers.TryGetValue(id, out var setting)) bytes += Entries.Canonical((settings[id] = setting)).Length;
            if (bytes > SyncLimits.PartBytes) break;
        }

        return Document with { Nodes = nodes, Tokens = tokens, Registers = settings };
    }

    /// <summary>The incarnation at the beginning of a version string; -1 if the string is not one of ours.</summary>
    public static long IncarnationOf(string? version) =>
        version is not null && version.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 && long.TryParse(version.AsSpan(0, colon), out var incarnation) ? incarnation : -1;

    private static string Version(long incarnation, string hash) => $"{incarnation}:{hash}";

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));

    private void Add(string key, string version) => _buckets[BucketOf(key)][key] = version;

    /// <summary>The same on every node and in every release, unlike <c>string.GetHashCode</c>.</summary>
    private static int BucketOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key))[0] % BucketCount;
}
