// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>
/// One running server of any product, for the flows that move servers. If a product does not have something (gossip, an autopilot, a seal), it answers like one
/// that has nothing to do there. Every call ends within its deadline and throws only if the caller cancels.
/// </summary>
internal interface IServerApi
{
    /// <summary>Scheme, host and port: for a person.</summary>
    string BaseAddress { get; }

    /// <summary>IP and raft port of the leader that this server knows, answered at once; null if it knows none or does not answer.</summary>
    Task<string?> LeaderAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>This server's raft state: a cheap call, answered at once with or without a leader. Null if it does not answer.</summary>
    Task<RaftStanding?> StandingAsync(CancellationToken cancel);

    /// <summary>The raft cluster as this server sees it. Null if it does not answer.</summary>
    Task<RaftView?> ObserveAsync(CancellationToken cancel);

    /// <summary>Whether it serves, and if not, what is missing.</summary>
    Task<Readiness> ReadinessAsync(CancellationToken cancel);

    /// <summary>
    /// Proves that there is a leader which a majority follows and which has applied its whole log. Stronger than any read: an isolated leader cannot answer it.
    /// </summary>
    Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Asks the leader, which must be this server, to hand leadership to the server with this raft id.</summary>
    Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Removes a server from raft by id. A leader adds it again within 60 s while it is alive in gossip.</summary>
    Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Whether gossip still contains a member; also true if that is unknown. False for a product without gossip.</summary>
    Task<bool> NamesMemberAsync(string member, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Marks a failed member in gossip as one that left. Also Ok for unknown names.</summary>
    /// <param name="prune">Gossip also forgets the member at once and not after a day. Nomad before 1.6.3 ignores this.</param>
    Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Keeps the leader from removing dead servers if fewer voters than this would be left, as soon as there are that many.</summary>
    /// <returns>True while it is not yet set.</returns>
    Task<bool> KeepQuorumAsync(int voters, TimeSpan deadline, CancellationToken cancel);

    /// <summary>The product's clients that this server knows, by the name of their node.</summary>
    Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Copies a snapshot of the cluster's state, made by the leader, to a stream.</summary>
    /// <returns>Bytes written.</returns>
    Task<Answer<long>> SaveSnapshotAsync(Stream to, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Replaces the cluster's whole state by a snapshot. The caller must have asked for consent.</summary>
    Task<Answer<Done>> RestoreSnapshotAsync(Stream from, TimeSpan deadline, CancellationToken cancel);

    /// <summary>What there is of each kind in the leader's state that only an operator changes, and its newest index. A kind that this version does not have is missing.</summary>
    Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>The version of the running server; null if it does not answer.</summary>
    Task<string?> VersionAsync(CancellationToken cancel);
}

/// <summary>Whether a server serves.</summary>
internal enum Readiness
{
    /// <summary>It does not answer.</summary>
    Down,

    /// <summary>It has no state yet and waits for somebody to initialise it.</summary>
    Uninitialised,

    /// <summary>It has its state and waits for its keys.</summary>
    Sealed,

    /// <summary>It answers but knows no leader.</summary>
    Leaderless,

    /// <summary>It answers and knows a leader.</summary>
    Ready,
}

/// <summary>A client of a product that a server knows.</summary>
/// <param name="Node">The node's name.</param>
/// <param name="State">In the product's own word, such as <c>ready</c> or <c>alive</c>.</param>
/// <param name="Serves">Whether the client serves in that state.</param>
internal sealed record SeenClient(string Node, string State, bool Serves);

/// <summary>The result of a leadership transfer.</summary>
internal abstract record LeadershipTransfer
{
    private LeadershipTransfer()
    {
    }

    internal sealed record Asked : LeadershipTransfer;

    /// <summary>This version has no such call (Nomad before 1.7, Consul before 1.15): the leader must leave instead.</summary>
    internal sealed record NotSupported : LeadershipTransfer;

    internal sealed record Failed(string Why) : LeadershipTransfer;
}
