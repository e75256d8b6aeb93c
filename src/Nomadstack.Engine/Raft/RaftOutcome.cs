// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What became of something that was asked of a <see cref="RaftNode"/>.</summary>
internal abstract record RaftOutcome
{
    /// <summary>It is committed and applied here; of a read: everything up to <paramref name="Index"/> is.</summary>
    /// <param name="Result">What the state machine answered.</param>
    internal sealed record Done(long Index, object? Result = null) : RaftOutcome;

    /// <summary>Nothing was done. The leader, where one is known, may be asked.</summary>
    internal sealed record NotLeader(RaftServer? Leader) : RaftOutcome;

    /// <summary>Nothing was done, and asking again at once would not help.</summary>
    internal sealed record Refused(string Why) : RaftOutcome;

    /// <summary>It may take effect yet, or never: this server lost leadership, or was stopped, before it knew.</summary>
    internal sealed record Unknown(string Why) : RaftOutcome;
}

/// <summary>How a server stands, as of its last step.</summary>
/// <param name="Leader">The leader of this term, once known.</param>
/// <param name="Configuration">The membership in force, whether it is committed or not.</param>
/// <param name="ContactAt">When a leader was last heard from, on the node's own clock.</param>
/// <param name="Transferring">It is giving leadership away.</param>
internal sealed record RaftStatus(
    RaftRole Role,
    long Term,
    string? Leader,
    long Last,
    long Commit,
    long Applied,
    long Snapshot,
    RaftConfiguration Configuration,
    bool ConfigurationCommitted,
    TimeSpan? ContactAt,
    bool Transferring)
{
    public bool Leads => Role == RaftRole.Leader;

    public RaftServer? LeaderServer => Leader is null ? null : Configuration.Find(Leader) ?? new(Leader, "", Suffrage.Voter);
}
