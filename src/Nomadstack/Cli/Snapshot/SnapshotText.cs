// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary>Snapshots for people.</summary>
internal static class SnapshotText
{
    public static void List(TextWriter to, IReadOnlyList<SnapshotInfo> all)
    {
        var table = new Table("NAME", "TAKEN", "NODE", "SIZE", "STATE");
        foreach (var s in all) table.Row(s.Name, Time(s.TakenAt), s.Node, Size(s.Size), State(s));
        table.WriteTo(to);
    }

    public static void One(TextWriter to, SnapshotInfo one)
    {
        to.WriteLine($"{one.Name}  {Size(one.Size)}");
        to.WriteLine($"cluster {one.ClusterId}, taken at {Time(one.TakenAt)} on {one.Node} by nomadstack {one.Release}");
        if (one.VerifiedAt is not null || one.Unverified.Length > 0) to.WriteLine(State(one) + (one.Unverified.Length > 0 ? ": " + Prose.OneLine(one.Unverified) : ""));
        foreach (var p in one.Products)
        {
            var counts = string.Join(", ", p.Counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key}")));
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {p.Name} {p.Version}  index {p.Index}, term {p.Term}, {Size(p.Size)}{(counts.Length > 0 ? "; " + counts : "")}"));
        }
    }

    public static void Plan(TextWriter to, RestorePlan plan)
    {
        to.WriteLine($"Restoring {plan.Of} takes the cluster back to {Time(plan.TakenAt)}. What was written since is lost; the present state is saved in a snapshot first.");
        if (plan.Stopped.Count > 0) to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Stopped, {plan.Allocations} running allocations, because these jobs are not in the snapshot or were stopped then: {string.Join(", ", plan.Stopped)}"));
        if (plan.Ghosts.Count > 0) to.WriteLine($"Back with their history, and stopped again because nothing of them runs: {string.Join(", ", plan.Ghosts)}");
        if (plan.Stopped.Count + plan.Ghosts.Count == 0) to.WriteLine("No job is stopped or comes back.");
        to.WriteLine("Tokens that were made since are no longer valid.");
    }

    private static string State(SnapshotInfo one) => one.VerifiedAt is { } at ? "verified " + Time(at) : "not verified";

    private static string Time(DateTimeOffset at) => at.ToString("u", CultureInfo.InvariantCulture);

    private static string Size(long bytes) => bytes < 1 << 20 ? string.Create(CultureInfo.InvariantCulture, $"{(bytes + 1023) >> 10} KiB") : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");
}
