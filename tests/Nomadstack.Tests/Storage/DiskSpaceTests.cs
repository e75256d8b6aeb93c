// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

/// <summary>Row 27: a job fills raft's disk.</summary>
public sealed class DiskSpaceTests
{
    private const long MiB = 1L << 20, GiB = 1L << 30;

    [Theory]
    [InlineData(84, 16, "Roomy")]
    [InlineData(85, 15, "Low")]
    [InlineData(94, 6, "Low")]
    [InlineData(95, 5, "Short")]
    [InlineData(100, 0, "Short")]
    public void TheShareThatIsUsedTellsTheLevel(long used, long available, string level) => new DiskSpace("/", used * MiB, available * MiB).Level.ToString().ShouldBe(level);

    [Theory]
    [InlineData(1000, 40, "Roomy", "96 % of a terabyte, and room for days")]
    [InlineData(10_000, 500, "Roomy", "95 % of ten terabytes")]
    [InlineData(79, 4, "Low", "95 %, with the room that is never short")]
    [InlineData(79, 3, "Short", "96 %, with less")]
    public void ALargeDiskIsNotShortWhileThereIsRoomForRaft(long used, long available, string level, string why) =>
        new DiskSpace("/", used * GiB, available * GiB).Level.ToString().ShouldBe(level, why);

    [Fact]
    public void TheReserveIsAHundredthOfASmallDiskAndNeverMuch()
    {
        Reserve.DefaultOf(new("/", 1 * GiB, 1 * GiB)).ShouldBe(2 * GiB / 100);
        Reserve.DefaultOf(new("/", 1000 * GiB, 1000 * GiB)).ShouldBe(64 * MiB);
    }

    [Theory]
    [InlineData(1000, 64, 64, "Keep")]
    [InlineData(16, 64, 64, "Keep")]
    [InlineData(15, 64, 64, "Release")]
    [InlineData(0, 64, 64, "Release")]
    [InlineData(0, 0, 64, "Keep")]
    [InlineData(200, 0, 64, "Keep")]
    [InlineData(256, 0, 64, "Take")]
    [InlineData(1000, 64, 32, "Take")]
    [InlineData(1000, 64, 0, "Release")]
    [InlineData(1000, 0, 0, "Keep")]
    public void TheReserveGoesAtTheDisksEndAndComesBackWhenThereIsRoom(long available, long held, long wanted, string decision) =>
        Reserve.Decide(new("/", 10 * GiB, available * MiB), held * MiB, wanted * MiB).ToString().ShouldBe(decision);

    [Fact]
    public void TheReserveNeverComesAndGoes()
    {
        foreach (var free in Enumerable.Range(0, 600).Select(n => n * MiB))
        {
            if (Reserve.Decide(new("/", 10 * GiB, free), 0, 64 * MiB) != ReserveDecision.Take) continue;
            Reserve.Decide(new("/", 10 * GiB, free - 64 * MiB), 64 * MiB, 64 * MiB).ShouldBe(ReserveDecision.Keep);
        }
    }
}
