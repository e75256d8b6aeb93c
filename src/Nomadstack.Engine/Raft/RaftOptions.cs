// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>
/// Timing and sizes. With the defaults a leader that was killed is replaced within 2 s: its followers notice after 500–1000 ms,
/// and a split vote costs one more such wait.
/// </summary>
internal sealed record RaftOptions
{
    /// <summary>A leader without anything to say says so this often.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Without word from a leader for somewhere between this and its double, a voter campaigns; for less than this, it refuses to help another to an election.
    /// A leader that has not heard from a majority for its double steps down.
    /// </summary>
    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Appends under way to one follower before the first is answered.</summary>
    public int MaxInFlight { get; init; } = 16;

    /// <summary>Payload of one append; a single larger entry goes alone.</summary>
    public int MaxAppendBytes { get; init; } = 512 * 1024;

    /// <summary>A larger command is refused: it would hold up heartbeats on its way, and the limit of a frame between servers must never be met.</summary>
    public int MaxCommandBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>A piece of a snapshot on its way to a follower: small enough not to keep a heartbeat waiting behind it.</summary>
    public int SnapshotChunkBytes { get; init; } = 256 * 1024;

    /// <summary>The log in memory, and on disk behind the snapshot, that makes a server take a snapshot.</summary>
    public long SnapshotLogBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>The same as a number of entries.</summary>
    public int SnapshotLogEntries { get; init; } = 8192;

    /// <summary>Entries kept behind a snapshot, so that a follower that lags a little needs no snapshot.</summary>
    public int TrailingEntries { get; init; } = 1024;

    /// <summary>A segment of the log that has grown to this is followed by a new one.</summary>
    public long SegmentBytes { get; init; } = 8 * 1024 * 1024;
}
