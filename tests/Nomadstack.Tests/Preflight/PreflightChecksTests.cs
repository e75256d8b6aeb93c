// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Preflight;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Preflight;

public sealed class PreflightChecksTests
{
    private static readonly DateTimeOffset s_now = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly PreflightRequest s_request = new("10.0.0.1", PortUse.Of(new(), ProductTable.Known.Stack, bootstrap: true), "/data", new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private static readonly HostFacts s_host = new([], _ => null, [new(IPAddress.Loopback, "lo"), new(IPAddress.Parse("10.0.0.1"), "eth0")], new("/", "ext4", new HashSet<string> { "rw" }), null, 10L << 30, s_now);

    [Fact]
    public void AGoodMachinePasses() => PreflightChecks.All(s_request, s_host).ShouldBeEmpty();

    [Theory]
    [InlineData("10.0.0.1", 4647, false, true)]
    [InlineData("0.0.0.0", 4647, false, true)]
    [InlineData("::", 4647, false, true)]
    [InlineData("127.0.0.1", 4647, false, false)]
    [InlineData("10.0.0.1", 4648, true, true)]
    [InlineData("10.0.0.1", 4647, true, false)]
    [InlineData("10.0.0.1", 1, false, false)]
    public void ATakenPortIsNamedWithItsHolder(string address, int port, bool udp, bool taken)
    {
        var host = s_host with { Sockets = [new(IPAddress.Parse(address), port, udp, 77)], Owner = inode => inode == 77 ? new(123, "other server") : null };

        var problems = PreflightChecks.All(s_request, host);

        if (!taken)
        {
            problems.ShouldBeEmpty();
            return;
        }

        var problem = problems.ShouldHaveSingleItem();
        problem.Code.ShouldBe("preflight/port-taken");
        problem.What.ShouldContain(port.ToString());
        problem.Why.ShouldContain("pid 123: other server");
    }

    [Fact]
    public void OurOwnProcessesMayHoldOurPorts()
    {
        var host = s_host with { Sockets = [new(IPAddress.Parse("10.0.0.1"), 4647, false, 77)], Owner = _ => new(123, "nomad") };

        PreflightChecks.All(s_request with { OwnPids = new HashSet<int> { 123 } }, host).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("10.0.0.9", "preflight/bind-not-here")]
    [InlineData("0.0.0.0", "preflight/bind-any")]
    [InlineData("node1", "preflight/bind-not-an-address")]
    public void TheAddressMustBeOneOfThisMachine(string address, string code)
    {
        var problem = PreflightChecks.All(s_request with { Address = address }, s_host).ShouldHaveSingleItem();

        problem.Code.ShouldBe(code);
        problem.Fix.ShouldContain("10.0.0.1 (eth0)");
    }

    [Fact]
    public void AnyLoopbackAddressIsHere() => PreflightChecks.All(s_request with { Address = "127.0.0.7" }, s_host).ShouldBeEmpty();

    [Theory]
    [InlineData("tmpfs", "rw", "preflight/data-in-memory")]
    [InlineData("ramfs", "rw", "preflight/data-in-memory")]
    [InlineData("ext4", "noexec", "preflight/data-noexec")]
    [InlineData("ext4", "ro", "preflight/data-read-only")]
    public void TheDataFolderMustLastAndRunPrograms(string fileSystem, string option, string code) =>
        PreflightChecks.All(s_request, s_host with { DataMount = new("/data", fileSystem, new HashSet<string> { option }) }).ShouldHaveSingleItem().Code.ShouldBe(code);

    [Fact]
    public void DataThatWouldNotSurviveAPowerCutIsRefusedAsUnsafe() =>
        PreflightChecks.All(s_request, s_host with { DataMount = new("/data", "tmpfs", new HashSet<string>()) }).ShouldHaveSingleItem().Unsafe.ShouldBeTrue();

    [Fact]
    public void AFolderThatMayNotBeWrittenIsNamed() =>
        PreflightChecks.All(s_request, s_host with { DataProblem = new("/", "Permission denied") }).ShouldHaveSingleItem().Why.ShouldContain("Permission denied");

    [Theory]
    [InlineData(100L << 20, 1)]
    [InlineData(512L << 20, 0)]
    public void TheDiskMustHaveRoom(long free, int problems) => PreflightChecks.All(s_request, s_host with { FreeBytes = free }).Count.ShouldBe(problems);

    /// <summary>Three full nodes and a power cut would be a total outage.</summary>
    [Fact]
    public void AMemberStartsWhateverRoomIsLeft() => PreflightChecks.All(s_request with { Member = true }, s_host with { FreeBytes = 0 }).ShouldBeEmpty();

    [Theory]
    [InlineData("1970-01-01", 1)]
    [InlineData("2023-12-30", 1)]
    [InlineData("2025-12-30", 1)]
    [InlineData("2025-12-31", 0)]
    public void TheClockCannotBeBeforeTheBuild(string now, int problems) =>
        PreflightChecks.All(s_request, s_host with { Now = DateTimeOffset.Parse(now + "T12:00:00Z") }).Count.ShouldBe(problems);

    [Fact]
    public void TwoPurposesOnOnePortAreFound() =>
        PreflightChecks.All(s_request with { Ports = PortUse.Of(new PortPlan().With(Role.Row(Role.Nomad).Port(ProductPort.Server, ProductPort.Rpc), 4646), [Role.Row(Role.Nomad)], bootstrap: false) }, s_host).ShouldHaveSingleItem().Code.ShouldBe("preflight/port-twice");

    [Fact]
    public void EverythingIsReportedAtOnce() =>
        PreflightChecks.All(s_request with { Address = "10.0.0.9" }, s_host with { FreeBytes = 0, Now = default }).Count.ShouldBe(3);

    [Fact]
    public void ThisMachineCanBeRead()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var missing = Path.Combine(Path.GetTempPath(), "nomadstack-not-there", "deeper");

        var host = HostFacts.Read(missing, TimeProvider.System);

        var socket = host.Sockets.ShouldHaveSingleItemWhere(s => s.Port == port && !s.Udp);
        socket.Address.ShouldBe(IPAddress.Loopback);
        host.Owner(socket.Inode)!.Pid.ShouldBe(Environment.ProcessId);
        host.Addresses.ShouldContain(a => a.Address.Equals(IPAddress.Loopback));
        host.DataMount.ShouldNotBeNull();
        host.DataProblem.ShouldBeNull();
        host.FreeBytes!.Value.ShouldBeGreaterThan(0);
        Directory.Exists(missing).ShouldBeFalse();
    }

    [Fact]
    public void AFileIsNoDataFolder()
    {
        var file = Path.GetTempFileName();
        try
        {
            HostFacts.Read(file, TimeProvider.System).DataProblem!.Why.ShouldBe("it is not a folder");
        }
        finally
        {
            File.Delete(file);
        }
    }
}

internal static class Single
{
    public static T ShouldHaveSingleItemWhere<T>(this IEnumerable<T> items, Func<T, bool> where) => items.Where(where).ShouldHaveSingleItem();
}
