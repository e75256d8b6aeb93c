// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

public sealed class JobValuesTests
{
    [Theory]
    [InlineData("10s", 10_000_000_000)]
    [InlineData("1h30m", 5_400_000_000_000)]
    [InlineData("1.5s", 1_500_000_000)]
    [InlineData("250ms", 250_000_000)]
    [InlineData("-2m", -120_000_000_000)]
    [InlineData("0", 0)]
    [InlineData("3µs", 3_000)]
    [InlineData("7ns", 7)]
    public void ReadsGoDurations(string text, long nanoseconds)
    {
        GoDuration.TryParse(text, out var read).ShouldBeTrue();
        read.ShouldBe(nanoseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("10 s")]
    [InlineData("1d")]
    [InlineData("1.2.3s")]
    [InlineData("99999999999999h")]
    public void RefusesWhatIsNoDuration(string text) => GoDuration.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(1_500, "1.5s")]
    [InlineData(100, "100ms")]
    [InlineData(60_000, "1m0s")]
    [InlineData(3_600_000, "1h0m0s")]
    [InlineData(-5_000, "-5s")]
    public void WritesDurationsAsGoDoes(long milliseconds, string text) => GoDuration.Format(TimeSpan.FromMilliseconds(milliseconds)).ShouldBe(text);

    [Theory]
    [InlineData("1.2.3", ">= 1.0, < 2.0", true)]
    [InlineData("2.0.0", ">= 1.0, < 2.0", false)]
    [InlineData("1.2.3", "1.2.3", true)]
    [InlineData("1.2", "= 1.2.0", true)]
    [InlineData("1.9.0", "~> 1.2", true)]
    [InlineData("2.0.0", "~> 1.2", false)]
    [InlineData("1.2.9", "~> 1.2.3", true)]
    [InlineData("1.3.0", "~> 1.2.3", false)]
    [InlineData("v1.10.0", "> 1.9", true)]
    [InlineData("1.3.0-beta1", ">= 0.6.1", false)]
    [InlineData("1.3.0-beta2", ">= 1.3.0-beta1", true)]
    [InlineData("1.3.0", "!= 1.3.0", false)]
    [InlineData("not a version", "> 0", false)]
    public void ComparesVersionsAsGoVersionDoes(string version, string constraint, bool allowed) =>
        VersionConstraint.TryParse(constraint, semver: false)!.Allows(version).ShouldBe(allowed);

    [Theory]
    [InlineData("1.3.0-beta1", ">= 0.6.1", true)]
    [InlineData("1.3.0-beta1", "< 1.3.0", true)]
    [InlineData("1.0.0-alpha.2", "> 1.0.0-alpha.1", true)]
    [InlineData("1.0.0-alpha.10", "> 1.0.0-alpha.9", true)]
    public void LetsAPrereleaseComeBeforeItsReleaseWithSemver(string version, string constraint, bool allowed) =>
        VersionConstraint.TryParse(constraint, semver: true)!.Allows(version).ShouldBe(allowed);

    [Theory]
    [InlineData(">= x")]
    [InlineData("")]
    [InlineData("1.0,")]
    public void RefusesWhatIsNoVersionConstraint(string constraint) => VersionConstraint.TryParse(constraint, semver: false).ShouldBeNull();
}
