// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>What a server's raft data says, read from its disk without any server. Whether its last entries were committed is not among it.</summary>
/// <param name="Term">The term that the server has reached; it says nothing about data.</param>
/// <param name="LastTerm">The term of the last entry, or of the newest snapshot if the log is empty.</param>
/// <param name="LastIndex">The index of the last entry, or of the newest snapshot if the log is empty.</param>
/// <param name="PeersIndex">The index of the configuration that <paramref name="Peers"/> is.</param>
/// <param name="Peers">The newest configuration in the log or in the newest snapshot.</param>
internal sealed record RaftOnDisk(RaftDataState State, long Term = 0, long LastTerm = 0, long LastIndex = 0, long PeersIndex = 0, IReadOnlyList<RaftPeer>? Peers = null)
{
    public static RaftOnDisk Blank { get; } = new(RaftDataState.Blank);

    /// <summary>Why it cannot be read; null for data that can.</summary>
    public string? Why { get; init; }

    public IEnumerable<RaftPeer> Voters => (Peers ?? []).Where(p => p.Voter);

    public static RaftOnDisk Unreadable(string why) => new(RaftDataState.Unreadable) { Why = why };
}

internal enum RaftDataState
{
    /// <summary>There is neither an entry nor a snapshot.</summary>
    Blank,
    Present,

    /// <summary>There are files, and they cannot be understood.</summary>
    Unreadable,
}

/// <summary>An entry of a raft configuration, as a server has it on disk.</summary>
/// <param name="Address">IP and raft port.</param>
internal sealed record RaftPeer(string Id, string Address, bool Voter);
