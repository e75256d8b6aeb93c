// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Snapshots;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Snapshots;

public sealed class RetentionTests
{
    private static readonly DateTimeOffset s_now = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void FourHoursAreKeptWholeAndAWeekByTheDay()
    {
        var all = Enumerable.Range(0, 4 * 24 * 10).Select(i => Taken(TimeSpan.FromMinutes(15 * i))).ToList();

        var kept = Kept(all, s_now);

        kept.Count(s => s_now - s.TakenAt <= TimeSpan.FromHours(4)).ShouldBe(17);
        kept.Count(s => s_now - s.TakenAt > TimeSpan.FromHours(4)).ShouldBeInRange(7, 8);
        kept.Max(s => s_now - s.TakenAt).ShouldBeLessThanOrEqualTo(TimeSpan.FromDays(7));
    }

    [Fact]
    public void TheLastVerifiedOneNeverAgesOut()
    {
        var verified = Taken(TimeSpan.FromDays(400));
        var failed = Enumerable.Range(0, 50).Select(i => Taken(TimeSpan.FromDays(i), verified: false));

        Kept([verified, .. failed], s_now).ShouldContain(verified);
    }

    [Fact]
    public void AVerifiedOneStandsForItsDay()
    {
        var (verified, later) = (Taken(TimeSpan.FromHours(50)), Taken(TimeSpan.FromHours(49), verified: false));

        Kept([verified, later, Taken(TimeSpan.Zero)], s_now).ShouldNotContain(later);
    }

    [Fact]
    public void WhateverThereIsWhatIsKeptHoldsTheNewestAndTheNewestVerified()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            List<KeptSnapshot> all = [.. Enumerable.Range(0, random.Next(0, 60)).Select(i => new KeptSnapshot($"s{i}", s_now - TimeSpan.FromMinutes(random.Next(-600, 60 * 24 * 20)), random.Next(3) > 0))];
            var policy = new SnapshotPolicy(TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(random.Next(0, 1000)), TimeSpan.FromMinutes(random.Next(0, 20_000)));

            var kept = Kept(all, s_now, policy);

            if (all.Count == 0) continue;
            kept.Max(s => s.TakenAt).ShouldBe(all.Max(s => s.TakenAt), $"seed {seed}");
            if (all.Any(s => s.Verified)) kept.Where(s => s.Verified).Max(s => s.TakenAt).ShouldBe(all.Where(s => s.Verified).Max(s => s.TakenAt), $"seed {seed}");
            kept.ShouldBeSubsetOf(all);
            // What was kept once is kept at once again: nothing is deleted that only stayed for something deleted.
            Kept(kept, s_now, policy).ShouldBe(kept, ignoreOrder: true, $"seed {seed}");
            all.Where(s => s_now - s.TakenAt <= policy.Dense).ShouldBeSubsetOf(kept);
        }
    }

    private static List<KeptSnapshot> Kept(IReadOnlyList<KeptSnapshot> all, DateTimeOffset now, SnapshotPolicy? policy = null)
    {
        var old = Retention.ToDelete(all, policy ?? SnapshotPolicy.Default, now);
        return [.. all.Where(s => !old.Contains(s.Name))];
    }

    private static KeptSnapshot Taken(TimeSpan ago, bool verified = true) => new($"{ago.TotalMinutes} {verified}", s_now - ago, verified);
}
