// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What servers say to each other. Any of them may be lost, repeated, delayed or overtaken without harm.</summary>
/// <param name="From">Id of the sender.</param>
/// <param name="To">Id of the receiver.</param>
/// <param name="Term">The sender's term; in a pre-vote the term it would campaign in.</param>
internal abstract record RaftMessage(string From, string To, long Term);

/// <param name="Last">Where the candidate's log ends.</param>
/// <param name="PreVote">Only asks whether a vote could be won, so that a server that was cut off does not disturb a working leader with its term.</param>
/// <param name="Transfer">The leader itself asked for this election: hearing from it is no reason to refuse.</param>
internal sealed record VoteRequest(string From, string To, long Term, LogPosition Last, bool PreVote, bool Transfer) : RaftMessage(From, To, Term);

internal sealed record VoteReply(string From, string To, long Term, bool PreVote, bool Granted) : RaftMessage(From, To, Term);

/// <summary>Entries that follow <paramref name="Previous"/>. Without entries it is a heartbeat.</summary>
/// <param name="Commit">The leader's commit index.</param>
/// <param name="Round">Number of the leader's latest heartbeat round; its echo proves that the leader still led after the round began.</param>
internal sealed record AppendRequest(string From, string To, long Term, LogPosition Previous, IReadOnlyList<LogEntry> Entries, long Commit, long Round) : RaftMessage(From, To, Term);

/// <param name="Match">When accepted: up to here the log is the leader's, and durable.</param>
/// <param name="RejectedIndex">When refused: the previous index that was not there.</param>
/// <param name="Conflict">When refused: the term that is there instead and its first index, or no term and the end of a log that is too short.</param>
internal sealed record AppendReply(string From, string To, long Term, bool Accepted, long Match, long RejectedIndex, LogPosition Conflict, long Round) : RaftMessage(From, To, Term);

/// <summary>A piece of the snapshot at <paramref name="Snapshot"/>, for a server that needs entries the leader no longer has.</summary>
/// <param name="Bytes">Empty as the core makes it: who sends it fills in the piece of the file that starts at <paramref name="Offset"/>.</param>
internal sealed record SnapshotRequest(string From, string To, long Term, LogPosition Snapshot, long Offset, ReadOnlyMemory<byte> Bytes, bool Last, long Round) : RaftMessage(From, To, Term);

/// <param name="NextOffset">The piece to send next; 0 asks to start over.</param>
internal sealed record SnapshotReply(string From, string To, long Term, LogPosition Snapshot, long NextOffset, long Round) : RaftMessage(From, To, Term);

/// <summary>The leader hands over: campaign at once.</summary>
internal sealed record TimeoutNow(string From, string To, long Term) : RaftMessage(From, To, Term);
