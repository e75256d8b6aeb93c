// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Node;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class DriverSocketTests
{
    private const string Boot = "7c3f26f0-0000-4000-8000-000000000001", OtherBoot = "7c3f26f0-0000-4000-8000-000000000002";

    [Fact]
    public void EveryAgentOfOneBootListensAtTheSamePath() => DriverSocket.Of(new("/tmp/a")).ShouldBe(DriverSocket.Of(new NodePaths("/tmp/a")));

    [Fact]
    public void NobodyAnswersAtThePathOfTheLastBoot() => DriverSocket.Name(Boot, 9).ShouldNotBe(DriverSocket.Name(OtherBoot, 9));

    [Fact]
    public void AContainerThatComesBackIsAnotherBoot() => DriverSocket.Name(Boot, 9).ShouldNotBe(DriverSocket.Name(Boot, 4711));

    [Fact]
    public void ThePathIsShortEnoughForASocket() => DriverSocket.Of(new("/tmp/a")).Length.ShouldBeLessThan(108);
}
