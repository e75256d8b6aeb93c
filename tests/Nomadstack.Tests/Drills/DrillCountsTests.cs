// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Drills;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Drills;

public sealed class DrillCountsTests
{
    [Fact]
    public void WhatIsLessIsLostAndWhatIsMoreIsNot() =>
        DrillCounts.Compare(Counts(("jobs", 5), ("nodes", 3)), Counts(("jobs", 4), ("nodes", 4)), 100, 107)
            .ShouldBe([new DrillCount("index", 100, 107, false), new("jobs", 5, 4, true), new("nodes", 3, 4, false)]);

    [Fact]
    public void AnIndexThatWentBackIsLost() =>
        DrillCounts.Compare(Counts(), Counts(), 100, 99).ShouldBe([new DrillCount("index", 100, 99, true)]);

    [Fact]
    public void WhereIndexesBeginAnewTheyAreNotCompared() =>
        DrillCounts.Compare(Counts(("jobs", 1)), Counts(("jobs", 1)), null, 5).ShouldBe([new DrillCount("jobs", 1, 1, false)]);

    [Theory]
    [InlineData(3, true)]
    [InlineData(0, false)]
    public void AKindThatIsGoneIsLostIfThereWasAny(long before, bool lost) =>
        DrillCounts.Compare(Counts(("keys", before)), Counts(), 1, 1)[1].ShouldBe(new("keys", before, 0, lost));

    [Fact]
    public void WhatWasRemovedWhileTheSnapshotWasMadeIsNotExpected()
    {
        var expected = DrillCounts.AtLeast(Counts(("jobs", 5), ("nodes", 3), ("keys", 1)) with { Index = 10 }, Counts(("jobs", 4), ("nodes", 6)) with { Index = 20 });

        expected.Index.ShouldBe(10);
        expected.Counts.ShouldBe(new Dictionary<string, long> { ["jobs"] = 4, ["nodes"] = 3 }, ignoreOrder: true);
    }

    private static StateCounts Counts(params (string Kind, long Count)[] counts) => new(0, counts.ToDictionary(c => c.Kind, c => c.Count));
}
