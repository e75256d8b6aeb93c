// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Answers one step of a peer's exchange: takes the pushed entries, then answers "same" or helps to find the difference. Limited by <see cref="SyncLimits"/>.</summary>
internal sealed class SyncDesk(Membership membership)
{
    /// <param name="sender">Node id of the peer, from its certificate.</param>
    /// <param name="secrets">Digest of the secrets store, for a server node to compare; null for any other.</param>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>, <c>peers/bad-document</c> or <c>peers/no-cluster</c>.</exception>
    public SyncAnswer Answer(SyncRequest request, string? sender = null, string? secrets = null)
    {
        if (request.Push is { } pushed) membership.Merge(pushed, sender);
        var document = membership.Current ?? throw new ProblemException(PeerProblems.NoCluster());
        var full = request.Full is not null;
        var digests = full ? Digests.Of(document) : Digests.OfReleased(document);
        if ((request.Full ?? request.Digest) == digests.Whole) return new SyncAnswer(Same: true) { Full = full, Secrets = secrets };
        if (request.Buckets is null) return new SyncAnswer(Same: false) { Full = full, Secrets = secrets, Buckets = digests.Buckets };

        var theirs = request.Versions ?? new Dictionary<string, string>();
        List<string> newer = [], want = [];
        foreach (var index in request.Buckets.Where(i => i is >= 0 and < Digests.BucketCount).Distinct())
        {
            foreach (var (key, version) in digests.Bucket(index))
            {
                if (!theirs.TryGetValue(key, out var their)) newer.Add(key);
                else if (their != version) Compare(key, version, their);
            }
        }

        want.AddRange(theirs.Keys.Where(key => !digests.Has(key)));
        return new SyncAnswer(Same: false) { Full = full, Secrets = secrets, Newer = digests.Part(newer), Want = [.. want.Take(SyncLimits.Entries)] };

        // At the same incarnation both are sent: merging picks the same one on both sides.
        void Compare(string key, string ours, string their)
        {
            var order = Digests.IncarnationOf(ours).CompareTo(Digests.IncarnationOf(their));
            if (order >= 0) newer.Add(key);
            if (order <= 0) want.Add(key);
        }
    }
}
