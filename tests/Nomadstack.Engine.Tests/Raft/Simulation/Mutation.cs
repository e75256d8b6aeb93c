// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>Mistakes that are easily made around a raft. The simulation makes them on purpose, in the server it puts around the core, to show that it would notice.</summary>
public enum Mutation
{
    None,

    /// <summary>The core hears that a batch is durable when it is only about to be written.</summary>
    AcknowledgesBeforeFsync,

    /// <summary>The disk says that it has synced a file, and has not.</summary>
    DiskLies,

    /// <summary>A new file is synced, and the folder that holds its name is not.</summary>
    ForgetsToSyncTheFolder,

    /// <summary>The vote is left out of what is written.</summary>
    ForgetsItsVote,

    /// <summary>Votes for candidates whose log is behind.</summary>
    VotesForAnyLog,

    /// <summary>Tells followers that entries of earlier terms are committed once a majority holds them.</summary>
    CommitsEarlierTermsByCounting,

    /// <summary>Goes on without what it had applied: an entry is applied a second time after a restart.</summary>
    AppliesTwice,

    /// <summary>A leader answers reads without asking whether it still leads.</summary>
    ReadsWithoutRound,

    /// <summary>Cuts the log off behind a snapshot that is not durable yet.</summary>
    CompactsBeforeTheSnapshotIsDurable,

    /// <summary>Campaigns without asking first.</summary>
    SkipsPreVote,
}
