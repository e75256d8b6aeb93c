// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Snapshots;

/// <param name="Verified">It was restored once, and what came out was compared.</param>
internal sealed record KeptSnapshot(string Name, DateTimeOffset TakenAt, bool Verified);

/// <summary>Which snapshots a node need not keep any longer.</summary>
internal static class Retention
{
    /// <summary>
    /// Pure and total. Stays: what is younger than the dense span, the best of each day within the thin span, the newest of all, and the newest verified one, whatever its age.
    /// A verified one
    /// is better than one that is not, then the newer one.
    /// </summary>
    /// <returns>Names, the oldest first.</returns>
    public static IReadOnlyList<string> ToDelete(IReadOnlyList<KeptSnapshot> all, SnapshotPolicy policy, DateTimeOffset now)
    {
        HashSet<string> stay = [];
        foreach (var newest in (KeptSnapshot?[])[Best(all), Best(all.Where(s => s.Verified))]) if (newest is not null) stay.Add(newest.Name);
        if (all.MaxBy(s => s.TakenAt) is { } last) stay.Add(last.Name);
        stay.UnionWith(all.Where(s => now - s.TakenAt <= policy.Dense).Select(s => s.Name));
        foreach (var day in all.Where(s => now - s.TakenAt > policy.Dense && now - s.TakenAt <= policy.Thin).GroupBy(s => s.TakenAt.UtcDateTime.Date)) stay.Add(Best(day)!.Name);
        return [.. all.Where(s => !stay.Contains(s.Name)).OrderBy(s => s.TakenAt).Select(s => s.Name)];
    }

    private static KeptSnapshot? Best(IEnumerable<KeptSnapshot> of) => of.OrderBy(s => s.Verified).ThenBy(s => s.TakenAt).ThenBy(s => s.Name, StringComparer.Ordinal).LastOrDefault();
}
