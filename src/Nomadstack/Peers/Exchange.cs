// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>One exchange with one peer, step by step, until both have the same or nothing more can be done. Does not use the network itself.</summary>
internal static class Exchange
{
    /// <summary>Each step carries up to <see cref="SyncLimits.Entries"/> entries in each direction. The rest waits for the next exchange.</summary>
    private const int MaxSteps = 32;

    /// <param name="peer">The peer's node id.</param>
    /// <param name="secrets">Digest of this node's secrets store; null if it has none.</param>
    /// <returns>The peer's last answer.</returns>
    public static async Task<SyncAnswer?> RunAsync(Membership membership, string peer, string? secrets, Func<SyncRequest, Task<SyncAnswer>> ask)
    {
        ClusterDocument? push = null;
        SyncAnswer? answer = null;
        // If a peer asks again for an entry that it was given, it refuses the entry: an old agent refuses what we have, or the other way round.
        var given = new HashSet<string>();
        for (var step = 0; step < MaxSteps; step++)
        {
            if (membership.Current is not { } document) return answer;
            // If no agent of release 0.1.0 is known, the digest for such agents is not computed. If one appears, the exchange takes one more step.
            var released = HasReleased(document) ? Digests.OfReleased(document).Whole : "";
            answer = await ask(new SyncRequest(released) { Full = Digests.Of(document).Whole, Secrets = secrets, Push = push });
            push = null;
            if (answer.Same)
            {
                // A change during this exchange did not start another one, so this one must carry it.
                if (ReferenceEquals(document, membership.Current)) return answer;
                continue;
            }

            var full = answer.Full;
            var digests = Of(document, full);
            var (buckets, versions) = Differing(digests, answer.Buckets ?? []);
            if (buckets.Count == 0) return answer;
            answer = await ask(new SyncRequest(released) { Full = full ? digests.Whole : null, Buckets = buckets, Versions = versions });
            if (answer.Same) continue;
            var news = answer.Newer is { } newer && membership.Merge(newer, peer);
            digests = Of(membership.Current ?? document, full);
            var wanted = (answer.Want ?? []).Where(key => digests.Has(key) && given.Add($"{key} {digests.VersionOf(key)}")).ToList();
            push = digests.Part(wanted);
            if (!news && wanted.Count == 0) return answer;
        }

        return answer;
    }

    /// <summary>Whether the membership contains an agent of release 0.1.0.</summary>
    public static bool HasReleased(ClusterDocument document) => document.Nodes.Values.Any(n => n.IsReleased);

    private static Digests Of(ClusterDocument document, bool full) => full ? Digests.Of(document) : Digests.OfReleased(document);

    /// <summary>The first buckets that differ, as many as one message may describe.</summary>
    private static (List<int> Buckets, Dictionary<string, string> Versions) Differing(Digests ours, IReadOnlyList<string> theirs)
    {
        List<int> buckets = [];
        Dictionary<string, string> versions = [];
        for (var i = 0; i < Math.Min(Digests.BucketCount, theirs.Count); i++)
        {
            if (ours.Buckets[i] == theirs[i]) continue;
            if (buckets.Count > 0 && versions.Count + ours.Bucket(i).Count > SyncLimits.Versions) break;
            buckets.Add(i);
            foreach (var (key, version) in ours.Bucket(i)) versions[key] = version;
        }

        return (buckets, versions);
    }
}
