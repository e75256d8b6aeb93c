// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

internal enum EntryKind : byte
{
    /// <summary>Bytes for the state machine.</summary>
    Command = 1,

    /// <summary>The whole membership from this entry on; in force as soon as it is appended, not when it is committed.</summary>
    Configuration = 2,

    /// <summary>A leader's first entry: entries of earlier terms are committed only behind one of the leader's own.</summary>
    Noop = 3,
}

/// <summary>One entry of the replicated log. Two logs with the same index and term hold the same entry there, and the same ones before it.</summary>
internal sealed record LogEntry(long Index, long Term, EntryKind Kind, ReadOnlyMemory<byte> Payload);

/// <summary>A place in the log. <c>(0, 0)</c> is before the first entry.</summary>
internal readonly record struct LogPosition(long Index, long Term)
{
    /// <summary>Whether a log that ends here may be missing nothing that one ending at <paramref name="other"/> has committed.</summary>
    public bool IsAtLeast(LogPosition other) => Term != other.Term ? Term > other.Term : Index >= other.Index;
}

/// <summary>What a server must remember over a power cut before it speaks in a term: the term, and whom it voted for in it.</summary>
internal sealed record HardState(long Term, string? VotedFor);

/// <summary>A snapshot holds the state after <paramref name="Position"/>, and the membership in force there.</summary>
internal sealed record SnapshotMeta(LogPosition Position, RaftConfiguration Configuration);
