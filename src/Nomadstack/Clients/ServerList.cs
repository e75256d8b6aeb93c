// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Servers;

namespace Nomadstack.Clients;

/// <summary>
/// Keeps the running Nomad client's list of servers up to date. Nomad's client learns of a new server with its next heartbeat, up to 20 s later, and
/// keeps nothing else: by then the only server it knows may have handed over and left, and nothing but Consul would ever tell it of another.
/// </summary>
internal sealed class ServerList(NodeContext context, Func<Uri, NomadApi> api, Func<NomadApi> client, Func<bool> clientRuns)
{
    /// <summary>How often to look while a server is missing, for how long after a change, and how often without one.</summary>
    private static readonly TimeSpan s_poll = TimeSpan.FromSeconds(2), s_recent = TimeSpan.FromMinutes(1), s_rest = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    private long? _floor;

    /// <summary>Runs until cancelled; looks when the membership changed.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var changedAt = context.Time.GetTimestamp();
        while (true)
        {
            var seen = context.Membership.Current;
            var complete = await LookAsync(cancel);
            // A server that is down for good is not waited for by every node of the cluster.
            var wait = !complete && context.Time.GetElapsedTime(changedAt) < s_recent ? s_poll : s_rest;
            if (await context.Membership.ChangedSinceAsync(seen, wait, cancel)) changedAt = context.Time.GetTimestamp();
        }
    }

    /// <summary>One look. Returns whether the client knows every server that is expected to stay.</summary>
    internal async Task<bool> LookAsync(CancellationToken cancel)
    {
        var servers = KnownServer.Of(context.Membership.Current, Role.Nomad).Where(s => !s.IsBootstrap).ToList();
        if (!clientRuns() || servers.Count == 0) return false;
        var known = (await client().AgentSelfAsync(s_callDeadline, cancel)).Try(out var self) ? self.KnownServers : null;
        // At rest the answer ends here: nobody else is asked.
        if (known is not null && servers.TrueForAll(s => !s.IsClaimed || known.Contains(s.Rpc))) return true;
        var seen = await Task.WhenAll(servers.Select(async s => new ServerSeen(s.Rpc, s.IsClaimed, await RaftStanding.AskAsync(api(s.Http), cancel))));
        var decision = ServerListDecision.Next(known, seen, _floor);
        _floor = decision.Floor;
        if (decision.Tell is not { } list) return decision.Complete;
        return (await client().SetServersAsync(list, s_callDeadline, cancel)).IsOk && decision.Complete;
    }
}
