// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Products;

namespace Nomadstack.Drills;

/// <summary>Compares what was there with what is there. Pure.</summary>
internal static class DrillCounts
{
    /// <param name="acknowledged">The index of the last write that was acknowledged; null where indexes begin anew.</param>
    /// <param name="index">The index that is there now.</param>
    public static IReadOnlyList<DrillCount> Compare(StateCounts before, StateCounts after, long? acknowledged, long index)
    {
        List<DrillCount> all = acknowledged is { } must ? [new("index", must, index, index < must)] : [];
        // A kind that cannot be counted any more is lost if there was any, and one that is new is not compared.
        foreach (var (kind, count) in before.Counts.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            var now = after.Counts.GetValueOrDefault(kind);
            all.Add(new(kind, count, now, now < count));
        }

        return all;
    }

    /// <summary>What a snapshot must have that was made between two counts of a cluster that goes on: something may have been removed meanwhile.</summary>
    public static StateCounts AtLeast(StateCounts first, StateCounts second) =>
        new(first.Index, first.Counts.Where(c => second.Counts.ContainsKey(c.Key)).ToDictionary(c => c.Key, c => Math.Min(c.Value, second.Counts[c.Key])));
}
