// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Servers;

/// <summary>Where one server stands, as it tells itself: cheap to ask, and answered at once with or without a leader.</summary>
/// <param name="LeaderAddress"><c>ip:rpcport</c>; null while no leader is known.</param>
/// <param name="Leads">The asked server is the leader.</param>
/// <param name="AppliedIndex">Last log index the asked server has applied.</param>
/// <param name="LastLogIndex">Last log index the asked server holds.</param>
internal record RaftStanding(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex)
{
    /// <summary>A server answers these at once; one that does not is as good as down.</summary>
    protected static readonly TimeSpan Local = TimeSpan.FromSeconds(2);

    public bool HasLeader => LeaderAddress is not null;

    /// <summary>Asks one server; null when it does not answer.</summary>
    public static async Task<RaftStanding?> AskAsync(IServerApi server, CancellationToken cancel) => (await AskWithPeersAsync(server, cancel))?.Standing;

    protected static async Task<(RaftStanding Standing, IReadOnlyList<RaftPeer> Peers)?> AskWithPeersAsync(IServerApi server, CancellationToken cancel)
    {
        var asked = server.AgentSelfAsync(Local, cancel);
        var leading = server.LeaderAsync(stale: true, Local, cancel);
        var (self, leader) = (await asked, await leading);
        return self.Try(out var told) && told.Raft is { } raft ? (new(leader, raft.IsLeader, raft.AppliedIndex, raft.LastLogIndex), raft.Peers) : null;
    }
}

/// <summary>One reading of a raft cluster, as one of its servers tells it.</summary>
/// <param name="Members">The configuration: the leader's where there is one, else what the asked server holds.</param>
internal sealed record RaftView(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex, IReadOnlyList<RaftMember> Members)
    : RaftStanding(LeaderAddress, Leads, AppliedIndex, LastLogIndex)
{
    private RaftView(RaftStanding standing, IReadOnlyList<RaftMember> members)
        : this(standing.LeaderAddress, standing.Leads, standing.AppliedIndex, standing.LastLogIndex, members)
    {
    }

    public RaftMember? Member(string raftId) => Members.FirstOrDefault(m => m.RaftId == raftId);

    /// <summary>Asks one server; null when it does not answer.</summary>
    public static new async Task<RaftView?> AskAsync(IServerApi server, CancellationToken cancel)
    {
        if (await AskWithPeersAsync(server, cancel) is not var (standing, peers)) return null;
        if (standing.HasLeader)
        {
            var reading = server.AutopilotHealthAsync(Local, cancel);
            var configured = await server.RaftConfigurationAsync(stale: false, Local, cancel);
            var health = (await reading).Try(out var autopilot) ? autopilot.Servers : [];
            if (configured.Try(out var configuration))
                return new(standing, [.. configuration.Servers.Select(s => new RaftMember(s.ID, s.Address, s.Voter, s.Leader, health.Any(h => h.ID == s.ID && h.Healthy)))]);
        }

        // A leader that cannot be reached is none: what this server holds by itself may be of yesterday, and nothing may be decided on it.
        return new(standing with { LeaderAddress = null }, [.. peers.Select(p => new RaftMember(p.Id, p.Address, p.Voter, Leader: false, Healthy: false))]);
    }

    /// <summary>Asks one after the other until one knows a leader; without any, the first that answered, or null.</summary>
    public static async Task<RaftView?> AskAnyAsync(IServerProduct product, IEnumerable<Uri> servers, CancellationToken cancel)
    {
        RaftView? first = null;
        foreach (var server in servers)
        {
            var view = await AskAsync(product.Api(server), cancel);
            if (view is { HasLeader: true }) return view;
            first ??= view;
        }

        return first;
    }
}

/// <summary>An entry of the raft configuration.</summary>
/// <param name="Healthy">Autopilot's word: alive, and not far behind the leader.</param>
internal sealed record RaftMember(string RaftId, string Address, bool Voter, bool Leader, bool Healthy);
