// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

internal enum RaftRole
{
    Follower,

    /// <summary>Asks whether it could win an election, in its old term.</summary>
    PreCandidate,
    Candidate,
    Leader,
}

/// <summary>A linearizable read may be served from the applied state; <paramref name="Granted"/> is false when leadership was lost before that was certain.</summary>
internal sealed record ReadResult(long ReadId, long Index, bool Granted);

/// <summary>
/// What the core wants done, in this order. A message that must not go out before something is durable is not in here until it is.
/// </summary>
/// <param name="Messages">To be sent.</param>
/// <param name="PiecesToSend">To be filled from the snapshot's file and sent; to be dropped when that file is gone.</param>
/// <param name="Restore">Replaces the state machine's state.</param>
/// <param name="Apply">To be applied, in this order.</param>
/// <param name="Reads">To be answered from the state that is reached now.</param>
/// <param name="PiecesToStore">To be stored; behind the last one <see cref="RaftCore.SnapshotReceived"/> is called before any other input.</param>
internal sealed record RaftOutput(
    IReadOnlyList<RaftMessage> Messages,
    IReadOnlyList<SnapshotRequest> PiecesToSend,
    SnapshotMeta? Restore,
    IReadOnlyList<LogEntry> Apply,
    IReadOnlyList<ReadResult> Reads,
    IReadOnlyList<SnapshotRequest> PiecesToStore)
{
    public bool IsEmpty => Messages.Count + PiecesToSend.Count + Apply.Count + Reads.Count + PiecesToStore.Count == 0 && Restore is null;
}

/// <summary>What storage holds when a server starts.</summary>
/// <param name="Base">Where the entries begin: at or before the snapshot.</param>
internal sealed record RecoveredState(HardState HardState, SnapshotMeta? Snapshot, LogPosition Base, IReadOnlyList<LogEntry> Entries)
{
    public static readonly RecoveredState Nothing = new(new HardState(0, null), null, default, []);

    /// <summary>Nothing was ever written: this server belongs to no raft yet.</summary>
    public bool IsBlank => HardState.Term == 0 && Snapshot is null && Entries.Count == 0;
}
