// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Ground.Http;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp;

/// <summary>
/// A server of Nomad or Consul: the two share raft, autopilot and gossip, and nearly all words for them. A server that is down, has no leader or refuses is an
/// answer, never an exception.
/// </summary>
internal abstract class HashiCorpServerApi(Endpoint endpoint, string indexHeader, TimeProvider time, HttpMessageInvoker? transport) : IServerApi, IGossipKeys
{
    /// <summary>A server answers these at once. One that does not counts as down.</summary>
    private static readonly TimeSpan s_local = TimeSpan.FromSeconds(2);

    protected ProductHttp Http { get; } = new(endpoint, indexHeader, time, transport);

    private OperatorApi Operator => new(Http);

    public string BaseAddress => Http.BaseAddress;

    public abstract Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Gossip as this agent sees it.</summary>
    public abstract Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Joins this server to the gossip at <paramref name="address"/> (IP and serf port), once. Gossip is mutual: either side may do this.</summary>
    public abstract Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel);

    public abstract Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel);

    public abstract Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel);

    public abstract Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>The path for reading and writing snapshots.</summary>
    protected abstract string SnapshotPath { get; }

    public Task<string?> LeaderAsync(TimeSpan deadline, CancellationToken cancel) => Operator.LeaderAsync(stale: true, deadline, cancel);

    /// <param name="stale">True asks this server alone, which answers at once. False asks the leader; the call waits up to 5–7 s while there is none.</param>
    public Task<Answer<RaftConfiguration>> RaftConfigurationAsync(bool stale, TimeSpan deadline, CancellationToken cancel) => Operator.RaftConfigurationAsync(stale, deadline, cancel);

    public Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel) => Operator.RemovePeerAsync(id, deadline, cancel);

    public Task<Answer<AutopilotHealth>> AutopilotHealthAsync(TimeSpan deadline, CancellationToken cancel) => Operator.AutopilotHealthAsync(deadline, cancel);

    public Task<Answer<AutopilotConfiguration>> GetAutopilotConfigurationAsync(TimeSpan deadline, CancellationToken cancel) => Operator.GetAutopilotConfigurationAsync(deadline, cancel);

    /// <summary>Writes if nobody has written since it was read; false if somebody has.</summary>
    public Task<Answer<bool>> PutAutopilotConfigurationAsync(AutopilotConfiguration configuration, TimeSpan deadline, CancellationToken cancel) =>
        Operator.PutAutopilotConfigurationAsync(configuration, deadline, cancel);

    /// <summary>Sends an entry through raft that changes nothing.</summary>
    public Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel) => Operator.BarrierAsync(deadline, cancel);

    public async Task<RaftStanding?> StandingAsync(CancellationToken cancel) => (await StandingWithPeersAsync(cancel))?.Standing;

    public async Task<RaftView?> ObserveAsync(CancellationToken cancel)
    {
        if (await StandingWithPeersAsync(cancel) is not var (standing, peers)) return null;
        if (standing.HasLeader)
        {
            var reading = AutopilotHealthAsync(s_local, cancel);
            var configured = await RaftConfigurationAsync(stale: false, s_local, cancel);
            var health = (await reading).Try(out var autopilot) ? autopilot.Servers : [];
            // A client node may read what autopilot says of the servers, and not the configuration.
            if (health.Count > 0 && configured is Answer<RaftConfiguration>.Refused { Status: 403 })
                return new(standing, [.. health.Select(h => new RaftMember(h.ID, h.Address, h.Voter, h.Leader, h.Healthy))]);
            if (configured.Try(out var configuration))
                return new(standing, [.. configuration.Servers.Select(s => new RaftMember(s.ID, s.Address, s.Voter, s.Leader, health.Any(h => h.ID == s.ID && h.Healthy)))]);
        }

        // An unreachable leader counts as no leader: this server's own data may be out of date, and no decision may rest on it.
        return new(standing with { LeaderAddress = null }, [.. peers.Select(p => new RaftMember(p.Id, p.Address, p.Voter, Leader: false, Healthy: false))]);
    }

    public async Task<Readiness> ReadinessAsync(CancellationToken cancel) => await StandingAsync(cancel) switch
    {
        null => Readiness.Down,
        { HasLeader: false } => Readiness.Leaderless,
        _ => Readiness.Ready,
    };

    public async Task<bool> NamesMemberAsync(string member, TimeSpan deadline, CancellationToken cancel) =>
        !(await MembersAsync(deadline, cancel)).Try(out var members) || members.Any(m => m.Name == member);

    public async Task<bool> KeepQuorumAsync(int voters, TimeSpan deadline, CancellationToken cancel)
    {
        if (!(await RaftConfigurationAsync(stale: false, deadline, cancel)).Try(out var raft) || raft.Voters.Count() < voters) return true;
        if (!(await GetAutopilotConfigurationAsync(deadline, cancel)).Try(out var autopilot) || autopilot.MinQuorum == voters) return false;
        await PutAutopilotConfigurationAsync(autopilot.With(minQuorum: voters), deadline, cancel);
        return false;
    }

    public abstract Task<Answer<GossipKeysSeen>> ListAsync(TimeSpan deadline, CancellationToken cancel);

    public abstract Task<Answer<Done>> InstallAsync(string key, TimeSpan deadline, CancellationToken cancel);

    public abstract Task<Answer<Done>> UseAsync(string key, TimeSpan deadline, CancellationToken cancel);

    public abstract Task<Answer<Done>> RemoveAsync(string key, TimeSpan deadline, CancellationToken cancel);

    protected static string KeyBody(string key) => new JsonObject { ["Key"] = key }.ToJsonString();

    public Task<Answer<long>> SaveSnapshotAsync(Stream to, TimeSpan deadline, CancellationToken cancel) => Http.DownloadAsync(SnapshotPath, to, deadline, cancel);

    public Task<Answer<Done>> RestoreSnapshotAsync(Stream from, TimeSpan deadline, CancellationToken cancel) => Http.UploadAsync(HttpMethod.Put, SnapshotPath, from, deadline, cancel);

    protected Task<LeadershipTransfer> TransferLeadershipAsync(HttpMethod method, string path, string id, TimeSpan deadline, CancellationToken cancel) =>
        Operator.TransferLeadershipAsync(method, path, id, deadline, cancel);

    private async Task<(RaftStanding Standing, IReadOnlyList<RaftPeer> Peers)?> StandingWithPeersAsync(CancellationToken cancel)
    {
        var asked = AgentSelfAsync(s_local, cancel);
        var leading = LeaderAsync(s_local, cancel);
        var (self, leader) = (await asked, await leading);
        return self.Try(out var told) && told.Raft is { } raft ? (new(leader, raft.IsLeader, raft.AppliedIndex, raft.LastLogIndex), raft.Peers) : null;
    }
}
