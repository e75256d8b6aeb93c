// SPDX-License-Identifier: MPL-2.0
using Grpc.Core;
using Nomadstack.Driver;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Driver;

public sealed class MsgpackTests
{
    [Fact]
    public void ReadsWhatNomadWrites()
    {
        ServerRequest.Decode([0x82, 0xa4, .. "role"u8, 0xa5, .. "nomad"u8, 0xa7, .. "version"u8, 0xc0], Role.All).ShouldBe(new("nomad", null));
        ServerRequest.Decode([0x82, 0xa4, .. "role"u8, 0xd9, 6, .. "consul"u8, 0xa7, .. "version"u8, 0xda, 0, 5, .. "1.8.7"u8], Role.All).ShouldBe(new("consul", "1.8.7"));
    }

    [Theory]
    [InlineData(new byte[] { 0x05 }, 5)]
    [InlineData(new byte[] { 0xcd, 0x01, 0x2c }, 300)]
    [InlineData(new byte[] { 0xf9 }, -7)]
    [InlineData(new byte[] { 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0 }, long.MinValue)]
    public void ReadsWholeNumbers(byte[] bytes, long number) => new Msgpack(bytes).Integer().ShouldBe(number);

    [Theory]
    [InlineData(new byte[] { }, "byte 0: 1 more bytes expected, 0 left")]
    [InlineData(new byte[] { 0x90 }, "byte 0: a map expected, found a list")]
    [InlineData(new byte[] { 0x81, 0xa4, 0x72 }, "byte 2: 4 more bytes expected, 1 left")]
    [InlineData(new byte[] { 0x81, 0xa1, 0x78, 0xc0 }, "byte 1: there is no attribute \"x\"")]
    [InlineData(new byte[] { 0x81, 0xa1, 0xff, 0xc0 }, "byte 1: the string is not UTF-8")]
    [InlineData(new byte[] { 0x80, 0xc0 }, "byte 1: 1 bytes too many")]
    [InlineData(new byte[] { 0xdf, 0xff, 0xff, 0xff, 0xff }, "byte 0: the length is impossible")]
    [InlineData(new byte[] { 0x80 }, "names no server role")]
    public void SaysWhereItStumbles(byte[] bytes, string message) =>
        Should.Throw<RpcException>(() => ServerRequest.Decode(bytes, Role.All)).Status.Detail.ShouldContain(message);
}
