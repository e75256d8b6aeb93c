// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Snapshots;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Snapshots;

public sealed class SnapshotDecisionTests
{
    private static readonly DateTimeOffset s_now = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    private static readonly SnapshotFactsNow s_due = new(SnapshotPolicy.Default, s_now, LeadsHere: true, s_now.AddMinutes(-15), null, DiskLevel.Roomy);

    [Fact]
    public void OneIsTakenEveryQuarterOfAnHourWhereTheLeaderIs()
    {
        SnapshotDecision.Next(s_due).ShouldBe(SnapshotNext.Take);
        SnapshotDecision.Next(s_due with { Newest = null }).ShouldBe(SnapshotNext.Take);
        SnapshotDecision.Next(s_due with { Newest = s_now.AddMinutes(-14) }).ShouldBe(SnapshotNext.Wait);
        SnapshotDecision.Next(s_due with { LeadsHere = false }).ShouldBe(SnapshotNext.Wait);
    }

    [Fact]
    public void NoneIsTakenWhereNobodyWantsAny() =>
        SnapshotDecision.Next(s_due with { Policy = SnapshotPolicy.Default with { Every = TimeSpan.Zero } }).ShouldBe(SnapshotNext.Wait);

    [Fact]
    public void OneThatFailedIsTriedAgainAfterAPause()
    {
        SnapshotDecision.Next(s_due with { Tried = s_now.AddSeconds(-30) }).ShouldBe(SnapshotNext.Wait);
        SnapshotDecision.Next(s_due with { Tried = s_now - SnapshotDecision.Again }).ShouldBe(SnapshotNext.Take);
    }

    [Fact]
    public void RaftGetsTheLastRoomOnTheDisk()
    {
        SnapshotDecision.Next(s_due with { Disk = DiskLevel.Short }).ShouldBe(SnapshotNext.NoRoom);
        SnapshotDecision.Next(s_due with { Disk = DiskLevel.Low }).ShouldBe(SnapshotNext.Take);
        SnapshotDecision.Next(s_due with { Disk = null }).ShouldBe(SnapshotNext.Take);
    }

    [Fact]
    public void AClockThatWasInTheFutureDoesNotEndSnapshots()
    {
        SnapshotDecision.Next(s_due with { Newest = s_now.AddYears(10) }).ShouldBe(SnapshotNext.Take);
        SnapshotDecision.Next(s_due with { Tried = s_now.AddYears(10) }).ShouldBe(SnapshotNext.Take);
    }
}
