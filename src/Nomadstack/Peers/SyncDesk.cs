// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Answers one step of a peer's exchange: takes what it pushed, then says "same" or helps it find what differs. Bounded by <see cref="SyncLimits"/>.</summary>
internal sealed class SyncDesk(Membership membership)
{
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>, <c>peers/bad-document</c> or <c>peers/no-cluster</c>.</exception>
    public SyncAnswer Answer(SyncRequest request)
    {
        if (request.Push is { } pushed) membership.Merge(pushed);
        var document = membership.Current ?? throw new ProblemException(Membership.NoCluster());
        var digests = Digests.Of(document);
        if (request.Digest == digests.Whole) return new SyncAnswer(Same: true);
        if (request.Buckets is null) return new SyncAnswer(Same: false) { Buckets = digests.Buckets };

        var theirs = request.Versions ?? new Dictionary<string, string>();
        List<string> newer = [], want = [];
        foreach (var index in request.Buckets.Where(i => i is >= 0 and < Digests.BucketCount).Distinct())
        {
            var ours = digests.Bucket(index);
            foreach (var (key, version) in ours)
            {
                if (!theirs.TryGetValue(key, out var their)) newer.Add(key);
                else if (their != version) Compare(key, version, their);
            }
        }

        want.AddRange(theirs.Keys.Where(key => !Known(document, key)));
        return new SyncAnswer(Same: false) { Newer = Digests.Part(document, newer.Take(SyncLimits.Entries)), Want = [.. want.Take(SyncLimits.Entries)] };

        // At the same incarnation both are sent: merging picks the same winner on either side.
        void Compare(string key, string ours, string their)
        {
            var order = Digests.IncarnationOf(ours).CompareTo(Digests.IncarnationOf(their));
            if (order >= 0) newer.Add(key);
            if (order <= 0) want.Add(key);
        }
    }

    private static bool Known(ClusterDocument document, string key) =>
        key.Length > 2 && (key[0] == 'n' ? document.Nodes.ContainsKey(key[2..]) : document.Tokens.ContainsKey(key[2..]));
}
