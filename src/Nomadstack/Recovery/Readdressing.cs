// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Recovery;

/// <summary>
/// Keeps the servers of this node going when addresses change: it starts one whose own address changed, when its peers can know that, and gives all voters' new addresses to a server whose
/// raft cannot learn them by itself. No person is needed, and nothing is decided with less than a majority of the recorded voters.
/// </summary>
/// <param name="survey">The raft data of all server nodes that answer.</param>
internal sealed class Readdressing(NodeContext context, ServerHost host, Func<CancellationToken, Task<IReadOnlyList<NodeSurvey>>> survey)
{
    private static readonly TimeSpan s_displaced = TimeSpan.FromMilliseconds(250), s_leaderless = TimeSpan.FromSeconds(1), s_resting = TimeSpan.FromSeconds(5);

    /// <summary>An election takes less. Before it, a server that has no leader is no sign of anything.</summary>
    private static readonly TimeSpan s_electionGrace = TimeSpan.FromSeconds(3);

    /// <summary>
    /// From the first look that found a majority. Machines whose power returns together come within seconds of each other. One that is written with its old address is found again by gossip, but
    /// raft takes it out and in again, and for 10–20 s the cluster has a voter less.
    /// </summary>
    private static readonly TimeSpan s_lateGrace = TimeSpan.FromSeconds(5);

    private const string Late = " late";

    private static readonly TimeSpan s_askOwn = TimeSpan.FromSeconds(1);

    private readonly ILogger _log = context.Logs.CreateLogger<Readdressing>();
    private readonly Graces _graces = new(context.Time);
    private readonly ConcurrentDictionary<string, string> _told = [];
    private readonly Dictionary<string, long> _rewrittenAt = [];

    /// <summary>Products whose server was stopped for a rewrite that did not come to its end: it is no displaced one, and nobody else starts it.</summary>
    private readonly HashSet<string> _stopped = [];

    /// <summary>What a product's server on this node waits for before it can go on under new addresses; empty if for nothing.</summary>
    public string WaitsFor(string role) => _told.GetValueOrDefault(role, "");

    public async Task RoundAndWaitAsync(CancellationToken cancel) => await Task.Delay(await RoundAsync(cancel), context.Time, cancel);

    /// <returns>The pause until the next look.</returns>
    private async Task<TimeSpan> RoundAsync(CancellationToken cancel)
    {
        var pause = s_resting;
        IReadOnlyList<NodeSurvey>? all = null;
        foreach (var (record, instance) in host.Servers.Where(s => !s.Record.Leaving))
        {
            if (instance.Process is { Pid: not null, Status.Wanted: true }) _stopped.Remove(record.Role);
            var displaced = host.IsDisplaced(record.Role) || _stopped.Contains(record.Role);
            var leaderless = instance.Process.Pid is not null && await instance.Api.LeaderAsync(s_askOwn, cancel) is null;
            if (leaderless) pause = s_leaderless < pause ? s_leaderless : pause;
            if (!displaced && !_graces.HasLasted(record.Role, leaderless, s_electionGrace))
            {
                Settled(record.Role);
                continue;
            }

            if (displaced) pause = s_displaced;
            // It has what was written for it, and needs the time of a start and an election before anything can be said.
            if (instance.Process.Pid is not null && (instance.Product.HasPeersToRead(instance.Site) || (_rewrittenAt.TryGetValue(record.Role, out var at) && context.Time.GetElapsedTime(at) < s_electionGrace && leaderless))) continue;
            all ??= await survey(cancel);
            if (await FactsOfAsync(record, instance, displaced, all, cancel) is { } facts) await ActAsync(record.Role, instance, displaced, ReaddressDecision.Next(facts), cancel);
        }

        return pause;
    }

    private async Task<ReaddressFacts?> FactsOfAsync(ServerRecord record, ServerInstance instance, bool displaced, IReadOnlyList<NodeSurvey> all, CancellationToken cancel)
    {
        var servers = all.SelectMany(n => n.Servers.Where(s => s.Product == record.Role && s.Epoch == record.Epoch).Select(s => (n.NodeId, Server: s))).ToList();
        if (servers.FirstOrDefault(s => s.NodeId == context.Node.Id && s.Server.RaftId == record.RaftId).Server is not { } own) return null;
        // A node speaks only for servers that it has told the cluster of, at the address that it has told the cluster.
        var known = KnownServer.Of(context.Membership.Current, record.Role);
        var others = servers.Where(s => s.NodeId != context.Node.Id && known.Any(k => k.NodeId == s.NodeId && k.Entry.RaftId == s.Server.RaftId && k.Rpc == s.Server.Address)).Select(s => s.Server).ToList();
        return new(own, displaced, others, known.GroupBy(k => k.Entry.RaftId).ToDictionary(g => g.Key, g => g.First().NodeName)) { LeaderKnown = await LeadsElsewhereAsync(instance, all, known, cancel) };
    }

    /// <summary>An agent of an older release tells no raft data, but its server can be asked.</summary>
    private async Task<bool> LeadsElsewhereAsync(ServerInstance instance, IReadOnlyList<NodeSurvey> all, IReadOnlyList<KnownServer> known, CancellationToken cancel)
    {
        foreach (var server in known.Where(k => all.Any(n => n.IsTooOld && n.NodeId == k.NodeId)))
        {
            if (await instance.Product.Server(context.Endpoints.Of(instance.Product.Row, server)).LeaderAsync(s_askOwn, cancel) is not null) return true;
        }

        return false;
    }

    private void Settled(string role)
    {
        _told.TryRemove(role, out _);
        // The next change of addresses has a grace of its own.
        _graces.HasLasted(role + Late, false, s_lateGrace);
    }

    private async Task ActAsync(string role, ServerInstance instance, bool displaced, Readdress next, CancellationToken cancel)
    {
        var title = instance.Product.Row.Title;
        if (_graces.HasLasted(role + Late, next is Readdress.Wait { AtLast: not null }, s_lateGrace)) next = ((Readdress.Wait)next).AtLast!;
        switch (next)
        {
            case Readdress.Wait wait:
                if (_told.GetValueOrDefault(role) != wait.For) _log.LogWarning("The {Product} server waits for {What}", title, wait.For);
                _told[role] = wait.For;
                return;
            case Readdress.Start:
                _log.LogInformation("The {Product} server starts under its new address {Address}", title, instance.Site.RaftAddress);
                await host.StartDisplacedAsync(role, cancel);
                break;
            case Readdress.Rewrite rewrite:
                _log.LogWarning("The addresses of {Product} servers have changed. A majority of the voters is here, and the raft configuration becomes {Peers}", title, string.Join(", ", rewrite.Peers.Select(p => p.Address)));
                _stopped.Add(role);
                await host.ReplacePeersAsync(role, rewrite.Peers, cancel);
                _stopped.Remove(role);
                _rewrittenAt[role] = context.Time.GetTimestamp();
                break;
        }

        _told.TryRemove(role, out _);
        if (displaced && await instance.ObserveAsync(cancel) is { HasLeader: true } view && view.Member(instance.Site.RaftId)?.Address == instance.Site.RaftAddress) await host.SettleAddressAsync(role, cancel);
    }
}
