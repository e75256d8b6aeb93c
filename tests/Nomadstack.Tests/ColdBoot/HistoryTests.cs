// SPDX-License-Identifier: MPL-2.0
using Nomadstack.ColdBoot;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.ColdBoot;

public sealed class HistoryTests
{
    [Fact]
    public void ANodeThatRemembersNothingKnowsNothing() => History.Compare(History.None, Of(5)).ShouldBe(Past.Unknown);

    [Fact]
    public void ABlankStateIsLost() => History.Compare(Of(1), History.None).ShouldBe(Past.Lost);

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(20_000)]
    public void TheSameHistoryIsTheSameAndALongerOneGoesOn(int length)
    {
        History.Compare(Of(length), Of(length)).ShouldBe(Past.Same);
        History.Compare(Of(length), Of(length + 1)).ShouldBe(Past.GoesOn);
        History.Compare(Of(length), Of(length + 10_000)).ShouldBe(Past.GoesOn);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void OneThatWasRolledBackIsLostAndStaysSoForHoursWhenItGoesOn(int by)
    {
        var remembered = Of(1000);
        var rolledBack = Of(1000 - by);
        History.Compare(remembered, rolledBack).ShouldBe(Past.Lost);
        for (var n = 0; n < 125; n++)
        {
            rolledBack = rolledBack.With("other" + n);
            History.Compare(remembered, rolledBack).ShouldBe(Past.Lost, $"after {n + 1} marks of its own");
        }
    }

    /// <summary>Five years are seven doublings more, each of which adds sixteen.</summary>
    [Fact]
    public void AMonthOfMarksIsFew() => Of(30 * 24 * 60).Marks.Count.ShouldBeLessThan(128 + (9 * 17));

    [Fact]
    public void WhatIsKeptDependsOnTheNumberAloneSoThatEveryCopyKeepsTheSame() =>
        Of(3000).Marks.Where(m => m.Number < 2000).ShouldBeSubsetOf(Of(2500).Marks);

    [Fact]
    public void TextAndBack() => History.Parse(Of(300).Render()).Marks.ShouldBe(Of(300).Marks);

    [Theory]
    [InlineData("1:a,1:b")]
    [InlineData("x:a")]
    [InlineData("1")]
    [InlineData("2:a,1:b")]
    [InlineData("1:")]
    public void WhatIsNoHistoryIsNone(string text) => History.Parse(text).Marks.ShouldBeEmpty();

    private static History Of(int length)
    {
        var history = History.None;
        for (var n = 1; n <= length; n++) history = history.With("m" + n);
        return history;
    }
}
