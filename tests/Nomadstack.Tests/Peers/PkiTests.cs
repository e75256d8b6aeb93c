// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class PkiTests
{
    private static readonly string s_cluster = Guid.NewGuid().ToString();

    [Theory]
    [InlineData("ca.crt", "node.crt", "node.key")]
    [InlineData("node.crt", "node.key")]
    [InlineData("node.crt")]
    public async Task AnInterruptedMintIsFinishedWithWhatIsThere(params string[] missing)
    {
        await using var node = new TestNode("n1");
        string pin;
        using (var first = Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System)) pin = first.CaPin;
        foreach (var file in missing) File.Delete(Path.Combine(node.Paths.Pki, file));

        using var again = Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System);

        again.CaPin.ShouldBe(pin);
        again.NodeId.ShouldBe(node.File.Id);
        again.ClusterId.ShouldBe(s_cluster);
        Certificates.Complaint(again.Node, again.Ca, DateTimeOffset.UtcNow).ShouldBeNull();
        File.GetUnixFileMode(Path.Combine(node.Paths.Pki, "ca.key")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(Path.Combine(node.Paths.Pki, "node.key")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task TheNodeCertificateIsRenewedInItsLastThirdWithTheSameKey()
    {
        await using var node = new TestNode("n1");
        using var first = Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System);
        using var early = Pki.Load(node.Paths, node.File, new ShiftedTime(TimeSpan.FromDays(230)));
        using var late = Pki.Load(node.Paths, node.File, new ShiftedTime(TimeSpan.FromDays(250)));
        using var afterYears = Pki.Load(node.Paths, node.File, new ShiftedTime(TimeSpan.FromDays(900)));

        early.Node.SerialNumber.ShouldBe(first.Node.SerialNumber);
        late.Node.SerialNumber.ShouldNotBe(first.Node.SerialNumber);
        afterYears.Node.NotAfter.ShouldBeGreaterThan(late.Node.NotAfter);
        afterYears.KeyPin.ShouldBe(first.KeyPin);
    }

    [Fact]
    public async Task ANewAddressGetsANewCertificate()
    {
        await using var node = new TestNode("n1");
        using var first = Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System);
        using var moved = Pki.Load(node.Paths, node.File with { Address = "127.0.0.9" }, TimeProvider.System);

        moved.Node.SerialNumber.ShouldNotBe(first.Node.SerialNumber);
    }

    [Fact]
    public async Task AClockBeforeTheClusterIsNamed()
    {
        await using var node = new TestNode("n1");
        Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System).Dispose();

        Should.Throw<ProblemException>(() => Pki.Load(node.Paths, node.File, new ShiftedTime(TimeSpan.FromDays(-400)))).Problem.Code.ShouldBe("peers/clock");
    }

    [Fact]
    public async Task AnotherClustersKeysAndDamagedOnesAreRefused()
    {
        await using var node = new TestNode("n1");
        Pki.Mint(node.Paths, s_cluster, node.File, TimeProvider.System).Dispose();

        Should.Throw<ProblemException>(() => Pki.Mint(node.Paths, Guid.NewGuid().ToString(), node.File, TimeProvider.System)).Problem.Code.ShouldBe("peers/other-cluster");
        File.WriteAllText(Path.Combine(node.Paths.Pki, "node.key"), "-----BEGIN");
        Should.Throw<ProblemException>(() => Pki.Load(node.Paths, node.File, TimeProvider.System)).Problem.Code.ShouldBe("storage/torn");
    }
}
