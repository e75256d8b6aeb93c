// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Products;

public sealed class GoDurationTests
{
    [Theory]
    [InlineData("0s", 0)]
    [InlineData("200ms", 200)]
    [InlineData("10s", 10_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("1h0m0.5s", 3_600_500)]
    [InlineData("-2s", -2000)]
    public void ReadsWhatGoWrites(string text, double milliseconds) => GoDuration.Parse(text).ShouldBe(TimeSpan.FromMilliseconds(milliseconds));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("1d")]
    [InlineData("1..2s")]
    public void NeverGuesses(string? text) => GoDuration.Parse(text).ShouldBeNull();

    [Theory]
    [InlineData(2000, "2s")]
    [InlineData(1500, "1500ms")]
    [InlineData(0, "0s")]
    public void WritesWhatGoReads(double milliseconds, string text) => GoDuration.Format(TimeSpan.FromMilliseconds(milliseconds)).ShouldBe(text);
}
