// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>
/// One running server of any product, as the flows that move servers need it. What a product does not have (gossip, an autopilot, a seal) it answers for as one
/// that has nothing to do. Every call ends within its deadline and throws only at the caller's cancellation.
/// </summary>
internal interface IServerApi
{
    /// <summary>Scheme, host and port: for a person.</summary>
    string BaseAddress { get; }

    /// <summary>IP and raft port of the leader as this server knows it, told at once; null when it knows none or does not answer.</summary>
    Task<string?> LeaderAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Where this server stands: cheap to ask, answered at once with or without a leader. Null when it does not answer.</summary>
    Task<RaftStanding?> StandingAsync(CancellationToken cancel);

    /// <summary>The raft cluster as this server tells it. Null when it does not answer.</summary>
    Task<RaftView?> ObserveAsync(CancellationToken cancel);

    /// <summary>Whether it serves, and if not, what it lacks.</summary>
    Task<Readiness> ReadinessAsync(CancellationToken cancel);

    /// <summary>
    /// Proves a leader that a majority follows and that has applied its whole log. Stronger than any read: a leader that was cut off cannot answer it.
    /// </summary>
    Task<Answer<Done>> BarrierAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Asks the leader, which must be this server, to hand leadership to the server with this raft id.</summary>
    Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Removes a server from raft by id. A leader adds it again within 60 s while it is alive in gossip.</summary>
    Task<Answer<Done>> RemovePeerAsync(string id, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Whether gossip still names a member; also when that cannot be told. False for a product without gossip.</summary>
    Task<bool> NamesMemberAsync(string member, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Makes gossip take a failed member for one that left. Ok also for names nobody knows.</summary>
    /// <param name="prune">Gossip is to forget the member too, at once and not after a day. Nomad before 1.6.3 passes over that.</param>
    Task<Answer<Done>> ForgetMemberAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Keeps the leader from removing dead servers below this many voters, as soon as that many are there.</summary>
    /// <returns>True while it is not settled yet.</returns>
    Task<bool> KeepQuorumAsync(int voters, TimeSpan deadline, CancellationToken cancel);

    /// <summary>The product's clients as this server knows them, by the name of their node.</summary>
    Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Streams a snapshot of the cluster's state, taken by the leader, to a file or wherever it goes.</summary>
    /// <returns>Bytes written.</returns>
    Task<Answer<long>> SaveSnapshotAsync(Stream to, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Replaces the cluster's whole state by a snapshot. Whoever calls it has asked for consent.</summary>
    Task<Answer<Done>> RestoreSnapshotAsync(Stream from, TimeSpan deadline, CancellationToken cancel);
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

    /// <summary>It answers and knows no leader.</summary>
    Leaderless,

    /// <summary>It answers and knows a leader.</summary>
    Ready,
}

/// <summary>A client of a product, as a server knows it.</summary>
/// <param name="Node">The node's name.</param>
/// <param name="State">In the product's own word, such as <c>ready</c> or <c>alive</c>.</param>
/// <param name="Serves">Whether that state is the good one.</param>
internal sealed record SeenClient(string Node, string State, bool Serves);

/// <summary>What came of asking a leader to hand over.</summary>
internal abstract record LeadershipTransfer
{
    private LeadershipTransfer()
    {
    }

    internal sealed record Asked : LeadershipTransfer;

    /// <summary>This version has no such call (Nomad before 1.7, Consul before 1.15): the leader has to leave instead.</summary>
    internal sealed record NotSupported : LeadershipTransfer;

    internal sealed record Failed(string Why) : LeadershipTransfer;
}
