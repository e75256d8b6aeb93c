// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engines;

namespace Nomadstack.Servers;

/// <summary>One reading of a raft cluster, as one of its servers tells it. Addresses are <c>ip:rpcport</c>.</summary>
/// <param name="LeaderAddress">Null while no leader is known.</param>
/// <param name="Leads">The asked server is the leader.</param>
/// <param name="AppliedIndex">Last log index the asked server has applied.</param>
/// <param name="LastLogIndex">Last log index the asked server holds.</param>
internal sealed record RaftView(string? LeaderAddress, bool Leads, long AppliedIndex, long LastLogIndex, IReadOnlyList<RaftMember> Members)
{
    /// <summary>A server answers these at once, with or without a leader; one that does not is as good as down.</summary>
    private static readonly TimeSpan s_local = TimeSpan.FromSeconds(2);

    public bool HasLeader => LeaderAddress is not null;

    public RaftMember? Member(string raftId) => Members.FirstOrDefault(m => m.RaftId == raftId);

    /// <summary>Asks one server; null when it does not answer.</summary>
    public static async Task<RaftView?> AskAsync(IServerApi server, CancellationToken cancel)
    {
        var asked = server.AgentSelfAsync(s_local, cancel);
        var leading = server.LeaderAsync(stale: true, s_local, cancel);
        if (!(await asked).Try(out var self) || self.Raft is not { } raft) return null;
        var leader = await leading;
        IReadOnlyList<ServerHealth> health = [];
        if (leader is not null && (await server.AutopilotHealthAsync(s_local, cancel)).Try(out var autopilot)) health = autopilot.Servers;
        if (leader is not null && (await server.RaftConfigurationAsync(stale: false, s_local, cancel)).Try(out var configuration))
            return new(leader, raft.IsLeader, raft.AppliedIndex, raft.LastLogIndex, [.. configuration.Servers.Select(s => new RaftMember(s.ID, s.Address, s.Voter, s.Leader, IsHealthy(s.ID)))]);
        return new(leader, raft.IsLeader, raft.AppliedIndex, raft.LastLogIndex, [.. raft.Peers.Select(p => new RaftMember(p.Id, p.Address, p.Voter, p.Address == leader, IsHealthy(p.Id)))]);

        bool IsHealthy(string id) => health.Any(h => h.ID == id && h.Healthy);
    }
}

/// <summary>An entry of the raft configuration.</summary>
/// <param name="Healthy">Autopilot's word: alive, and not far behind the leader.</param>
internal sealed record RaftMember(string RaftId, string Address, bool Voter, bool Leader, bool Healthy);
