// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// Keeps the memberships of this node and its peers the same: one exchange with up to three peers each second, and at once after a
/// change. The messages do not grow with the cluster, only with the differences.
/// </summary>
/// <remarks>
/// The three are a window that slides by one over all peers in random order. So a connection is used a few times
/// before it rests, and a peer that fails is tried again at once.
/// </remarks>
internal sealed class AntiEntropy(Membership membership, PeerClient client, PeerHealth health, SecretStore secrets, TimeProvider time, int seed)
{
    private const int FanOut = 3;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Shortest time between two rounds, so that a burst of changes is sent together.</summary>
    private static readonly TimeSpan s_gap = TimeSpan.FromMilliseconds(50);

    private readonly SecretDesk _secretDesk = new(membership, secrets);
    private readonly Random _random = new(seed);
    private readonly List<string> _order = [];
    private int _at;

    /// <summary>Runs until cancelled, then returns; throws only for a bug.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
        var running = new Dictionary<string, Task>();
        void Wake() => wake.Writer.TryWrite(true);
        await using var timer = time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        membership.Changed += Wake;
        try
        {
            while (true)
            {
                foreach (var (peer, done) in running.Where(r => r.Value.IsCompleted).ToList())
                {
                    running.Remove(peer);
                    await done;
                }

                foreach (var peer in NextPeers().Where(p => !running.ContainsKey(p)).ToList())
                    running[peer] = ExchangeAsync(peer, cancel);
                timer.Change(s_interval * (0.8 + 0.4 * _random.NextDouble()), Timeout.InfiniteTimeSpan);
                await Task.Delay(s_gap, time, cancel);
                await wake.Reader.ReadAsync(cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The caller cancelled. Exchanges under way end below.
        }
        finally
        {
            membership.Changed -= Wake;
            await Task.WhenAll(running.Values);
        }
    }

    /// <summary>One exchange with one peer, now. The result is recorded in <see cref="PeerHealth"/> and not thrown.</summary>
    public async Task ExchangeAsync(string peer, CancellationToken cancel)
    {
        try
        {
            if (!await TryExchangeAsync(peer, cancel) && health.HasJustGone(peer)) await ExplainAsync(peer, cancel);
        }
        catch (ProblemException e)
        {
            health.Refused(peer, e.Problem);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // This is not the peer's fault.
        }
        catch (Exception e)
        {
            // A bug of ours that this peer triggers. The exchange with the others goes on, and this one is tried again.
            var problem = PeerProblems.ExchangeFailed(membership.Current?.Nodes.GetValueOrDefault(peer)?.Name ?? peer, e);
            health.Refused(peer, problem);
            membership.Refusals.Tell(peer, problem.Why, problem);
        }
    }

    /// <returns>False if it cannot be reached.</returns>
    private async Task<bool> TryExchangeAsync(string peer, CancellationToken cancel)
    {
        try
        {
            secrets.Reseal();
            var answer = await Exchange.RunAsync(membership, peer, secrets.Digest, request => AskAsync(peer, request, cancel));
            if (secrets.Digest is { } ours && answer?.Secrets is { } theirs && ours != theirs && membership.Current?.Nodes.GetValueOrDefault(peer) is { } node && SecretDesk.IsServer(node))
                await _secretDesk.ExchangeAsync(peer, request => client.SecretsAsync(peer, request, cancel));
            return true;
        }
        catch (ProblemException e) when (e.Problem.Code == "peers/unreachable")
        {
            health.Failed(peer, e.Problem);
            return false;
        }
    }

    /// <summary>A peer whose large packets are lost, or whose clock or ours is wrong, looks like one that is off.</summary>
    private async Task ExplainAsync(string peer, CancellationToken cancel)
    {
        if (membership.Current?.Nodes.GetValueOrDefault(peer) is not { } entry) return;
        var at = new JoinAddress(entry.Address, entry.Ports.Peers);
        var (answering, answer) = await PeerProbe.LookAsync(at, time, cancel);
        health.NoteClock(peer, answer?.Clock);
        if (answering != PeerAnswering.OnlySmall) return;
        var problem = PeerProblems.LargePacketsLost($"{entry.Name} ({at})");
        health.Explain(peer, problem);
        membership.Refusals.Tell(peer, problem.Why, problem);
    }

    private async Task<SyncAnswer> AskAsync(string peer, SyncRequest request, CancellationToken cancel)
    {
        var answer = await client.SyncAsync(peer, request with { Disk = health.Disk(), Clock = time.GetUtcNow() }, cancel);
        health.Heard(peer);
        health.Note(peer, answer.Disk);
        health.NoteClock(peer, answer.Clock);
        return answer;
    }

    private IEnumerable<string> NextPeers()
    {
        var peers = membership.Others.Select(n => n.Id).ToHashSet();
        _order.RemoveAll(p => !peers.Contains(p));
        peers.ExceptWith(_order);
        foreach (var added in peers.Order(StringComparer.Ordinal)) _order.Insert(_random.Next(_order.Count + 1), added);
        if (_order.Count <= FanOut) return _order;
        _at = (_at + 1) % _order.Count;
        return Enumerable.Range(_at, FanOut).Select(i => _order[i % _order.Count]);
    }
}
