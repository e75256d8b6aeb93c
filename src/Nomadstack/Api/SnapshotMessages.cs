// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <summary>A snapshot, as <c>nomadstack snapshot list --json</c> prints it.</summary>
/// <param name="Node">The node that took it.</param>
/// <param name="Size">Of the encrypted file, in bytes.</param>
/// <param name="Path">Of that file on this node.</param>
internal sealed record SnapshotInfo(string Name, DateTimeOffset TakenAt, string Node, string ClusterId, string Release, long Size, string Path, IReadOnlyList<SnapshotOfProduct> Products)
{
    /// <summary>When it was restored into a throw-away server and compared; null if it was not.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>Why it is not verified; empty if it is, or if nobody has tried.</summary>
    public string Unverified { get; init; } = "";
}

/// <param name="Counts">How many there are of what.</param>
internal sealed record SnapshotOfProduct(string Name, string Version, long Index, long Term, long Size, IReadOnlyDictionary<string, long> Counts);

/// <summary>Names a snapshot.</summary>
/// <param name="Of">Its name, or the absolute path of a file.</param>
/// <param name="Consent">For a restore: the operator has agreed.</param>
internal sealed record SnapshotRequest(string Of = "", bool Consent = false);

/// <param name="DryRun">Only tell what would be deleted.</param>
internal sealed record PruneRequest(bool DryRun = false);

internal sealed record PruneResult(IReadOnlyList<string> Deleted);

/// <summary>What a restore into the running cluster would do.</summary>
/// <param name="Stopped">Jobs whose tasks are stopped: they are not in the snapshot, or were stopped then.</param>
/// <param name="Allocations">How many of their allocations run now.</param>
/// <param name="Ghosts">Jobs that run in the snapshot and not now. They come back and are stopped again, since nothing of them runs.</param>
internal sealed record RestorePlan(string Of, DateTimeOffset TakenAt, IReadOnlyList<string> Stopped, long Allocations, IReadOnlyList<string> Ghosts);

internal sealed record RecoveryKeyShown(string Key);

/// <summary>Changes how snapshots are taken; what is null stays.</summary>
/// <param name="Target">Empty for none.</param>
/// <param name="Credentials">The content of a credentials file for a bucket; empty to go by the agent's surroundings again.</param>
internal sealed record SnapshotPolicyRequest(int? EverySeconds = null, int? DenseSeconds = null, int? ThinSeconds = null, string? Target = null, string? Credentials = null);

internal sealed record SnapshotPolicyStatus(int EverySeconds, int DenseSeconds, int ThinSeconds, string Target);

/// <param name="Passphrase">The operator's own.</param>
internal sealed record KitRequest(string Passphrase);

/// <param name="Content">The encrypted file.</param>
internal sealed record KitMade(byte[] Content);

/// <summary>The cluster's snapshots in short, in <c>status</c>.</summary>
/// <param name="LastTaken">Null for none.</param>
/// <param name="LastVerified">Null for none.</param>
internal sealed record SnapshotsStatus(DateTimeOffset? LastTaken, DateTimeOffset? LastVerified);
