// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class JoinTokenTests
{
    private static readonly string s_pin = new('a', 64);

    [Fact]
    public void AMintedTokenIsReadBack()
    {
        var token = JoinToken.Mint(s_pin);

        JoinToken.Parse($"  {token.Reveal()}\n").ShouldBe(token);
        token.ToString().ShouldNotContain(token.Secret);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("K1abc.abcdefghij.00112233445566778899aabbccddeeff")]
    [InlineData("K1{pin}.abcdefghij")]
    [InlineData("K1{pin}.ABCDEFGHIJ.00112233445566778899aabbccddeeff")]
    [InlineData("K1{pin}.abcdefghij.00112233445566778899aabbccddee")]
    [InlineData("K1{pin}.abcdefghij.00112233445566778899aabbccddeeff.x")]
    public void AMalformedTokenIsRefusedWithoutRepeatingIt(string text)
    {
        var problem = Should.Throw<ProblemException>(() => JoinToken.Parse(text.Replace("{pin}", s_pin, StringComparison.Ordinal))).Problem;

        problem.Code.ShouldBe("join/malformed-token");
        problem.ToString().ShouldNotContain("00112233");
    }

    [Theory]
    [InlineData("n1", "n1", 4640)]
    [InlineData("n1.lan:99", "n1.lan", 99)]
    [InlineData("10.0.0.1:4700", "10.0.0.1", 4700)]
    [InlineData("fd00::1", "fd00::1", 4640)]
    [InlineData("[fd00::1]", "fd00::1", 4640)]
    [InlineData("[fd00::1]:99", "fd00::1", 99)]
    public void AnAddressIsReadWithOrWithoutPort(string text, string host, int port) => JoinAddress.Parse(text).ShouldBe(new JoinAddress(host, port));

    [Theory]
    [InlineData("")]
    [InlineData("n1:")]
    [InlineData("n1:0")]
    [InlineData("n1:70000")]
    [InlineData("n1:http")]
    [InlineData("https://n1")]
    [InlineData("[n1]:99")]
    public void ABadAddressIsRefused(string text) => Should.Throw<ProblemException>(() => JoinAddress.Parse(text)).Problem.Code.ShouldBe("join/bad-address");
}
