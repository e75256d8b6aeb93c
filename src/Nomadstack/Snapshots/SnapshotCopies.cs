// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>
/// The exchange of snapshots between server nodes. Each gets what it lacks, so a node that was away has them soon after it is back, and a copy that breaks off is made again.
/// </summary>
/// <param name="calls">Calls to peers; null while there are none.</param>
internal sealed class SnapshotCopies(NodeContext context, SnapshotStore store, Func<PeerClient?> calls, Func<string, bool> isReachable) : ISnapshotDesk
{
    /// <summary>So many peers are asked at a time, in another order each time: what one node has reaches a hundred within a few minutes.</summary>
    private const int Asked = 3;

    private readonly ILogger _log = context.Logs.CreateLogger<SnapshotCopies>();

    public byte[] List() => JsonSerializer.SerializeToUtf8Bytes(store.All, SnapshotJson.Default.IReadOnlyListSnapshotRecord);

    public Stream? Open(string name) => SnapshotStore.IsName(name) && store.Find(name) is not null ? File.OpenRead(store.PathOf(name)) : null;

    /// <summary>Gets from others what is wanted here.</summary>
    public async Task GetAsync(Func<SnapshotRecord, bool> wanted, CancellationToken cancel)
    {
        if (calls() is not { } client) return;
        var servers = context.Membership.Others.Where(n => n.IsServer && isReachable(n.Id)).ToArray();
        Random.Shared.Shuffle(servers);
        foreach (var peer in servers.Take(Asked))
        {
            try
            {
                var offered = JsonSerializer.Deserialize(await client.SnapshotsAsync(peer.Id, cancel), SnapshotJson.Default.IReadOnlyListSnapshotRecord) ?? [];
                foreach (var record in offered.Where(r => SnapshotStore.IsName(r.Name) && r.Manifest.ClusterId == context.Membership.Current?.ClusterId && store.Find(r.Name) is null && wanted(r)))
                    await Fault.AroundAsync("copy-snapshot", () => GetAsync(client, peer, record, cancel));
            }
            catch (JsonException e)
            {
                _log.LogWarning("{Node} sent a list of snapshots that cannot be read: {Why}", peer.Name, e.Message);
            }
            catch (ProblemException e) when (e.Problem.Code is "peers/no-such-route" or "peers/unreachable")
            {
                // One of an older release has none, and one that is away is asked again.
                _log.LogDebug("{Node} gives no snapshots: {Problem}", peer.Name, e.Problem);
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e))
            {
                _log.LogWarning("The copies of {Node}'s snapshots were not made: {Problem}", peer.Name, Trouble.Of(e));
            }
        }
    }

    private async Task GetAsync(PeerClient client, NodeEntry peer, SnapshotRecord record, CancellationToken cancel)
    {
        await store.WriteAsync(record.Name, async to =>
        {
            using var sum = new HashedWriter(to);
            await client.DownloadSnapshotAsync(peer.Id, record.Name, sum, record.Size, cancel);
            return sum.Count == record.Size && sum.Sha256 == record.Sha256 ? true : throw new ProblemException(SnapshotProblems.CopyDiffers(record.Name, peer.Name));
        });
        store.Keep(record);
    }
}
