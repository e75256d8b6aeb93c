// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Security;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Security;

public sealed class CertificateVerdictTests
{
    private static readonly DateTimeOffset s_from = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Days and seconds after it began; a node's certificate lives 30 days and is due when 10 are left.</summary>
    [Theory]
    [InlineData(0, -1, "not-yet-valid")]
    [InlineData(0, 0, "fine")]
    [InlineData(20, 0, "fine")]
    [InlineData(21, 0, "fine")]
    [InlineData(21, 1, "overdue")]
    [InlineData(23, -1, "overdue")]
    [InlineData(23, 0, "urgent")]
    [InlineData(30, -1, "urgent")]
    [InlineData(30, 0, "ended")]
    [InlineData(4000, 0, "ended")]
    public void ACertificateThatTheAgentRenewsIsWorthAWordWhenItWasNot(int day, int seconds, string state) => State(30, 3650, day, seconds).ShouldBe(state);

    /// <summary>An agent's certificate lives a year: its renewal is due long before the alarm.</summary>
    [Theory]
    [InlineData(244, "fine")]
    [InlineData(245, "overdue")]
    [InlineData(357, "overdue")]
    [InlineData(358, "urgent")]
    public void OneThatLivesLongIsOverdueForMonths(int day, string state) => State(365, 3650, day, 0).ShouldBe(state);

    [Theory]
    [InlineData(0, -1, "not-yet-valid")]
    [InlineData(0, 0, "fine")]
    [InlineData(3620, -1, "fine")]
    [InlineData(3620, 0, "ends-soon")]
    [InlineData(3643, -1, "ends-soon")]
    [InlineData(3643, 0, "urgent")]
    [InlineData(3650, -1, "urgent")]
    [InlineData(3650, 0, "ended")]
    public void AnAuthorityThatNobodyRenewsIsWorthAWordAMonthBefore(int day, int seconds, string state) => State(3650, null, day, seconds).ShouldBe(state);

    /// <summary>A new one would end at the same moment: what is to be said is said of the authority.</summary>
    [Theory]
    [InlineData(29, "fine")]
    [InlineData(30, "ended")]
    public void OneThatEndsWithItsAuthorityIsAsGoodAsAnyNewOne(int day, string state)
    {
        State(30, 30, day, 0).ShouldBe(state);
        State(30, 29, day, 0).ShouldBe(state);
    }

    /// <summary>Its third is shorter than a renewal may be late.</summary>
    [Fact]
    public void OneThatLivesForTwoDaysIsNeverOverdue() => State(2, 3650, 1, 86399).ShouldBe("fine");

    private static string State(int life, int? authority, int day, int seconds) =>
        CertificateVerdict.Of(s_from, s_from.AddDays(life), authority is { } end ? s_from.AddDays(end) : null, s_from.AddDays(day).AddSeconds(seconds));
}
