// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Operations;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>What a restore into the running cluster depends on.</summary>
/// <param name="HasPresent">The state before it is in a snapshot of its own.</param>
/// <param name="Missing">Products that are not restored yet, in the order of the bootstrap.</param>
/// <param name="Marked">The scheduler's state has the restore's mark: it was restored, and the nodes' memories fit it.</param>
/// <param name="Ghosts">Jobs that were stopped before and run again by the servers' account; null while that cannot be told.</param>
internal sealed record RestoreFacts(bool HasPresent, IReadOnlyList<string> Missing, bool Marked, IReadOnlyList<ListedJob>? Ghosts);

internal enum RestoreVerb
{
    SavePresent,
    Restore,
    Mark,
    AwaitLeader,
    EndGhosts,
}

internal sealed record RestoreStep(RestoreVerb Verb, string Product = "");

internal static class RestoreDecision
{
    /// <summary>Pure and total.</summary>
    public static Next<RestoreStep> Next(RestoreFacts facts) => facts switch
    {
        { Marked: true, Ghosts: null } => new Next<RestoreStep>.Step(new(RestoreVerb.AwaitLeader), "wait for a leader"),
        { Marked: true, Ghosts: [_, ..] } => new Next<RestoreStep>.Step(new(RestoreVerb.EndGhosts), "stop the jobs that were stopped before"),
        { Marked: true } => new Next<RestoreStep>.Done(),
        { HasPresent: false } => new Next<RestoreStep>.Step(new(RestoreVerb.SavePresent), "take a snapshot of the present state"),
        { Missing: [var next, ..] } => new Next<RestoreStep>.Step(new(RestoreVerb.Restore, next), $"restore {next}"),
        _ => new Next<RestoreStep>.Step(new(RestoreVerb.Mark), "write the restore into the cluster's history"),
    };

    /// <summary>What a restore changes for jobs. Pure.</summary>
    /// <param name="now">The jobs that there are.</param>
    /// <param name="then">The jobs in the snapshot.</param>
    /// <returns>Those whose tasks are stopped, because they are not in the snapshot or were stopped then; and those that run in the snapshot and do not now.</returns>
    public static (IReadOnlyList<ListedJob> Stopped, IReadOnlyList<ListedJob> Ghosts) Compare(IReadOnlyList<ListedJob> now, IReadOnlyList<ListedJob> then)
    {
        var (here, there) = (now.ToLookup(Key), then.ToLookup(Key));
        return (
            [.. now.Where(j => !j.Stop && there[Key(j)].All(t => t.Stop)).OrderBy(j => j.ToString(), StringComparer.Ordinal)],
            [.. then.Where(j => !j.Stop && here[Key(j)].All(t => t.Stop)).OrderBy(j => j.ToString(), StringComparer.Ordinal)]);

        static (string, string) Key(ListedJob job) => (job.Namespace, job.Id);
    }
}
