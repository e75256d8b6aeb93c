// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Clients;

/// <summary>
/// Keeps the scheduler's running client up to date on servers. Nomad's client learns of a new server with its next heartbeat, up to 20 s later, and
/// keeps nothing else: by then the only server it knows may have handed over and left, and nothing but Consul would ever tell it of another.
/// </summary>
internal sealed class ServerList(NodeContext context, ISchedulerProduct scheduler, Func<bool> clientRuns)
{
    /// <summary>How often to look while a server is missing, for how long after a change, and how often without one.</summary>
    private static readonly TimeSpan s_poll = TimeSpan.FromSeconds(2), s_recent = TimeSpan.FromMinutes(1), s_rest = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private long? _floor;
    private long _changedAt = context.Time.GetTimestamp();

    /// <summary>One look, and the wait until the membership changes or it is time for the next.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        var complete = await LookAsync(cancel);
        // A server that is down for good is not waited for by every node of the cluster.
        var wait = !complete && context.Time.GetElapsedTime(_changedAt) < s_recent ? s_poll : s_rest;
        if (await context.Membership.ChangedSinceAsync(seen, wait, cancel)) _changedAt = context.Time.GetTimestamp();
    }

    /// <summary>One look. Returns whether the client knows every server that is expected to stay.</summary>
    internal async Task<bool> LookAsync(CancellationToken cancel)
    {
        var servers = KnownServer.Of(context.Membership.Current, scheduler.Row.Name).Where(s => !s.IsBootstrap).ToList();
        if (!clientRuns() || servers.Count == 0 || scheduler.Client(context.Endpoints.OfClient(scheduler.Row, context.Node)) is not { } client) return false;
        var known = await client.ServersAsync(s_callDeadline, cancel);
        // At rest the answer ends here: nobody else is asked.
        if (known is not null && servers.TrueForAll(s => !s.IsClaimed || known.Contains(s.Rpc))) return true;
        var seen = await Task.WhenAll(servers.Select(async s => new ServerSeen(s.Rpc, s.IsClaimed, await scheduler.Server(context.Endpoints.Of(scheduler.Row, s)).StandingAsync(cancel))));
        var decision = ServerListDecision.Next(known, seen, _floor);
        _floor = decision.Floor;
        if (decision.Tell is not { } list) return decision.Complete;
        return (await client.SetServersAsync(list, s_callDeadline, cancel)).IsOk && decision.Complete;
    }
}
