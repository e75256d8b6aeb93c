// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
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
    private static readonly TimeSpan s_local = TimeSpan.FromSeconds(2), s_ending = TimeSpan.FromMilliseconds(250);

    protected ProductHttp Http { get; } = new(endpoint, indexHeader, time, transport);

    private OperatorApi Operator => new(Http);

    public string BaseAddress => Http.BaseAddress;

    public abstract Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Gossip as this agent sees it.</summary>
    public abstract Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Joins this server to the gossip at <paramref name="address"/> (IP and serf port), once. Gossip is mutual: either side may do this.</summary>
    public abstract Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel);

    /// <summary>
    /// A member that gossip takes for alive, or for leaving, is never pruned: every agent that hears of it would sleep for 8 s with its list of members locked, and answer nothing about
    /// members or servers meanwhile (serf, <c>handlePrune</c> in serf/serf.go). One that has just ended is waited for.
    /// </summary>
    public async Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel)
    {
        var (began, harmless) = (time.GetTimestamp(), false);
        while (prune && !harmless && (await MembersAsync(deadline, cancel)).Try(out var members))
        {
            harmless = members.Where(m => m.Name == member).All(m => m.Status is GossipMember.Failed or GossipMember.Left);
            if (harmless || time.GetElapsedTime(began) > deadline / 2) break;
            await Task.Delay(s_ending, time, cancel);
        }

        return await ForceLeaveAsync(member, harmless, deadline, cancel);
    }

    /// <summary><see cref="ForgetMemberAsync"/> with the product's own call.</summary>
    protected abstract Task<Answer<Done>> ForceLeaveAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel);

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

    public abstract Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel);

    public async Task<string?> VersionAsync(CancellationToken cancel) => (await AgentSelfAsync(s_local, cancel)).Try(out var self) ? self.Version : null;

    /// <summary>Counts the elements of lists, one path for each kind. A kind that this version does not have, or has none of, is answered with 404; one that the embedded engine does not have, with 501.</summary>
    /// <param name="kinds">Kind, path, and which elements count.</param>
    protected async Task<Answer<StateCounts>> CountAsync(IReadOnlyList<(string Kind, string Path, Func<JsonElement, bool>? Counts)> kinds, TimeSpan deadline, CancellationToken cancel)
    {
        var (index, counts) = (0L, new Dictionary<string, long>());
        foreach (var (kind, path, counted) in kinds)
        {
            var answer = await Http.CountAsync(path, counted, deadline, cancel);
            // 501: the embedded engine names what it does not have.
            if (answer.IsNotFound || answer is Answer<long>.Refused { Status: 501 }) continue;
            if (!answer.Try(out var count)) return answer.Map(_ => new StateCounts(0, counts));
            (index, counts[kind]) = (Math.Max(index, answer.IndexSeen), count);
        }

        return new Answer<StateCounts>.Ok(new(index, counts), index);
    }

    protected Task<LeadershipTransfer> TransferLeadershipAsync(HttpMethod method, string path, string id, TimeSpan deadline, CancellationToken cancel) =>
        Operator.TransferLeadershipAsync(method, path, id, deadline, cancel);

    private async Task<(RaftStanding Standing, IReadOnlyList<RaftPeer> Peers)?> StandingWithPeersAsync(CancellationToken cancel)
    {
        var asked = AgentSelfAsync(s_local, cancel);
        var leading = LeaderAsync(s_local, cancel);
        var (self, leader) = (await asked, await leading);
        // Started again without a leader, it has not applied its log yet and knows no token: raft applies what a leader has committed. It answers all the same.
        if (leader is null && self is Answer<AgentSelf>.Refused { Status: 403 }) return (new(null, Leads: false, 0, 0), []);
        return self.Try(out var told) && told.Raft is { } raft ? (new(leader, raft.IsLeader, raft.AppliedIndex, raft.LastLogIndex), raft.Peers) : null;
    }
}
