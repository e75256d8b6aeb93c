// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Snapshots.Targets;

/// <param name="Size">In bytes.</param>
internal sealed record TargetCopy(string Name, long Size);

/// <summary>A place outside the cluster that has copies of its snapshots. Every call fails with <c>snapshot/target</c>, and no call waits for ever.</summary>
internal interface ISnapshotTarget
{
    /// <summary>What is there under names of snapshots, also those of other clusters.</summary>
    /// <exception cref="ProblemException"><c>snapshot/target</c>.</exception>
    Task<IReadOnlyList<TargetCopy>> ListAsync(CancellationToken cancel);

    /// <summary>Copies an archive and reads it back: only what reads the same counts. What does not is deleted again.</summary>
    /// <exception cref="ProblemException"><c>snapshot/target</c>, <c>snapshot/copy-differs</c>.</exception>
    Task PutAsync(string path, SnapshotRecord record, CancellationToken cancel);

    /// <exception cref="ProblemException"><c>snapshot/target</c>.</exception>
    Task DeleteAsync(string name, CancellationToken cancel);
}
