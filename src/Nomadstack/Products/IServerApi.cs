// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>
/// The part of an agent's HTTP API that Nomad and Consul share: leader, raft, autopilot, gossip. What moves a server moves either product's.
/// Every call ends within its deadline and throws only at the caller's cancellation.
/// </summary>
internal interface IServerApi
{
    /// <summary><see cref="Cluster.Role"/>.</summary>
    string Role { get; }

    string BaseAddress { get; }

    Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>IP and RPC port of the leader; null when there is none, none is known, or this agent does not answer.</summary>
    /// <param name="stale">True asks what this very server knows, at once; false asks the leader itself (held up to 5–7 s while there is none).</param>
    Task<string?> LeaderAsync(bool stale, TimeSpan deadline, CancellationToken cancel);

    Task<Answer<RaftConfiguration>> RaftConfigurationAsync(bool stale, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Removes a server from raft by id. A leader adds it again within 60 s while it is alive in gossip.</summary>
    Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel);

    Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel);

    Task<Answer<AutopilotHealth>> AutopilotHealthAsync(TimeSpan deadline, CancellationToken cancel);

    Task<Answer<AutopilotConfiguration>> GetAutopilotConfigurationAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Writes if nobody wrote since it was read; false when somebody did.</summary>
    Task<Answer<bool>> PutAutopilotConfigurationAsync(AutopilotConfiguration configuration, TimeSpan deadline, CancellationToken cancel);

    /// <summary>
    /// Proves a leader that a majority follows and that has applied its whole log, by sending an entry that changes nothing through raft.
    /// Stronger than any read: a leader that was cut off cannot answer it.
    /// </summary>
    Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Gossip as this agent sees it.</summary>
    Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Turns a failed member into one that left. Ok also for names nobody knows.</summary>
    /// <param name="prune">Gossip is to forget the member too, at once and not after a day. Nomad before 1.6.3 passes over that.</param>
    Task<Answer<Done>> ForceLeaveAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Joins this server to the gossip at <paramref name="address"/> (IP and serf port), once. Gossip is mutual: either side may be asked.</summary>
    Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel);
}
