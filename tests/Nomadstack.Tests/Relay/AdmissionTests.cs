// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Relay;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

public sealed class AdmissionTests
{
    private const int Port = 40123;
    private const uint Alice = 1000, Bob = 1001;

    [Theory]
    [InlineData("127.0.0.1:40123", "", "")]
    [InlineData("localhost:40123", "", "none")]
    [InlineData("LOCALHOST:40123", "http://localhost:40123", "same-origin")]
    [InlineData("127.0.0.1:40123", "http://127.0.0.1:40123", "same-origin")]
    public void OurOwnPageAndTheAddressBarAreLetIn(string host, string origin, string site) => CodeFor(new(host, origin, site, Alice)).ShouldBeNull();

    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:40123")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:40124")]
    [InlineData("127.0.0.2:40123")]
    [InlineData("[::1]:40123")]
    [InlineData("127.0.0.1:40123.evil.example")]
    [InlineData("")]
    public void NoOtherNameLeadsHere(string host) => CodeFor(new(host, "", "none", Alice)).ShouldBe("ui/other-host");

    [Theory]
    [InlineData("http://evil.example")]
    [InlineData("null")]
    [InlineData("https://127.0.0.1:40123")]
    [InlineData("http://127.0.0.1:40124")]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://127.0.0.1:40123.evil.example")]
    [InlineData("http://127.0.0.1:40123, http://evil.example")]
    public void NoOtherPageMaySendHere(string origin) => CodeFor(new("127.0.0.1:40123", origin, "", Alice)).ShouldBe("ui/other-page");

    [Theory]
    [InlineData("cross-site")]
    [InlineData("same-site")]
    [InlineData("a word of another year")]
    public void NoPageOfAnotherSiteOrPortMayLeadHere(string site) => CodeFor(new("127.0.0.1:40123", "", site, Alice)).ShouldBe("ui/other-page");

    [Theory]
    [InlineData(Bob)]
    [InlineData(null)]
    public void AnotherUserIsNotLetInWhateverHeShows(uint? user) => CodeFor(new("127.0.0.1:40123", "", "none", user)).ShouldBe("ui/other-user");

    private static string? CodeFor(Visit visit) => Admission.Refusal(visit, Port, new HashSet<uint> { 0, Alice })?.Code;
}
