// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Clients;

/// <summary>
/// Keeps the server list of the scheduler's running client up to date. Nomad's client learns of a new server with its next heartbeat, up to 20 s later, and
/// in no other way. By then the only server that it knows may have left, and only Consul could tell it of another one.
/// </summary>
/// <param name="restart">
/// Starts the client anew, with the servers of today: a client node has no right to tell its client of them, for the same right would open the servers' gossip key.
/// </param>
internal sealed class ServerList(NodeContext context, ISchedulerProduct scheduler, Func<bool> clientRuns, Func<CancellationToken, Task> restart)
{
    /// <summary>How often to check while a server is missing, for how long after a change, and how often otherwise.</summary>
    private static readonly TimeSpan s_poll = TimeSpan.FromSeconds(2), s_recent = TimeSpan.FromMinutes(1), s_rest = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    /// <summary>A client that was just started has had no time to reach a server.</summary>
    private static readonly TimeSpan s_betweenStarts = TimeSpan.FromMinutes(1);

    private long? _floor, _startedAt;
    private long _changedAt = context.Time.GetTimestamp();

    /// <summary>One check, and the wait until the membership changes or the next check is due.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        var complete = await LookAsync(cancel);
        // Not every node of the cluster keeps checking for a server that never returns.
        var wait = !complete && context.Time.GetElapsedTime(_changedAt) < s_recent ? s_poll : s_rest;
        if (await context.Membership.ChangedSinceAsync(seen, wait, cancel)) _changedAt = context.Time.GetTimestamp();
    }

    /// <summary>One check. Returns whether the client knows every server that is expected to stay.</summary>
    internal async Task<bool> LookAsync(CancellationToken cancel)
    {
        var servers = KnownServer.Of(context.Membership.Current, scheduler.Row.Name).Where(s => !s.IsBootstrap).ToList();
        if (!clientRuns() || servers.Count == 0 || scheduler.Client(context.Endpoints.OfClient(scheduler.Row, context.Node)) is not { } client) return false;
        var known = await client.ServersAsync(s_callDeadline, cancel);
        // At rest this is enough: no other server is asked.
        if (known is not null && servers.TrueForAll(s => !s.IsClaimed || known.Contains(s.Rpc))) return true;
        var seen = await Task.WhenAll(servers.Select(async s => new ServerSeen(s.Rpc, s.IsClaimed, await scheduler.Server(context.Endpoints.Of(scheduler.Row, s)).StandingAsync(cancel))));
        if (context.Trust is { IsGiven: true, IsSecure: true })
        {
            var stranded = ServerListDecision.IsStranded(known, seen);
            if (!stranded || (_startedAt is { } at && context.Time.GetElapsedTime(at) < s_betweenStarts)) return !stranded;
            _startedAt = context.Time.GetTimestamp();
            await restart(cancel);
            return false;
        }

        var decision = ServerListDecision.Next(known, seen, _floor);
        _floor = decision.Floor;
        if (decision.Tell is not { } list) return decision.Complete;
        return (await client.SetServersAsync(list, s_callDeadline, cancel)).IsOk && decision.Complete;
    }
}
