// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>What is needed of a log and of the values that raft keeps beside it.</summary>
/// <param name="Term">The term that the server has reached; 0 if it says none.</param>
/// <param name="First">The index of the first entry; 0 for an empty log.</param>
internal sealed record RaftLogView(long Term, long First, RaftPosition Last, RaftPeers? Configuration)
{
    public static RaftLogView Empty { get; } = new(0, 0, default, null);
}

/// <summary>Of an entry. <c>(0, 0)</c> is before the first.</summary>
internal readonly record struct RaftPosition(long Index, long Term);

/// <summary>A configuration of raft and the index of its entry.</summary>
internal sealed record RaftPeers(long Index, IReadOnlyList<RaftPeer> Peers);

/// <summary>Collects the last entry and the last configuration.</summary>
/// <param name="after">A configuration up to this index is in a snapshot.</param>
internal sealed class RaftLogReader(long after)
{
    public RaftPosition Last { get; private set; }

    private RaftPeers? _configuration;

    /// <summary>Whether entries up to this one, which come before all that were added, can tell nothing more.</summary>
    public bool IsDoneAt(long index) => Last.Index > 0 && (index <= after || _configuration is not null);

    public void Add(RaftEntry entry)
    {
        if (entry.Index > Last.Index) Last = new(entry.Index, entry.Term);
        if (entry.IsConfiguration && entry.Index > after && entry.Index > (_configuration?.Index ?? 0)) _configuration = new(entry.Index, entry.Peers());
    }

    public RaftLogView View(long term, long first) => new(term, first, Last, _configuration);
}
