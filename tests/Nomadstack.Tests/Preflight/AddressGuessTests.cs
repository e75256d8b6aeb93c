// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Preflight;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Preflight;

public sealed class AddressGuessTests
{
    private const string Header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    private static readonly HostAddress[] s_addresses =
    [
        new(IPAddress.Loopback, "lo"), new(IPAddress.Parse("169.254.3.3"), "eth0"), new(IPAddress.Parse("10.0.0.5"), "eth0"),
        new(IPAddress.Parse("192.168.1.5"), "wlan0"), new(IPAddress.Parse("fe80::1"), "eth1"), new(IPAddress.Parse("2001:db8::5"), "eth1"),
    ];

    [Fact]
    public void TakesTheDefaultRouteWithTheLowestMetric()
    {
        const string Routes = Header + "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\neth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

        AddressGuess.Default(Routes, "", s_addresses).ShouldBe(new HostAddress(IPAddress.Parse("10.0.0.5"), "eth0"));
    }

    [Fact]
    public void GuessesNothingWithoutADefaultRoute() =>
        AddressGuess.Default(Header + "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "", s_addresses).ShouldBeNull();

    [Fact]
    public void TakesIPv6WhereThereIsNothingElse()
    {
        const string Routes = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n"
            + "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

        AddressGuess.Default(Header, Routes, s_addresses).ShouldBe(new HostAddress(IPAddress.Parse("2001:db8::5"), "eth1"));
    }

    private const string Routes6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n";

    private static HostAddress Six(int last, AddressFlags flags) => new(IPAddress.Parse($"2001:db8::{last}"), "eth1") { Flags = flags };

    [Fact]
    public void AnAddressForLifeIsNeitherTemporaryNorOnItsWayOut()
    {
        HostAddress[] addresses = [Six(1, AddressFlags.Temporary), Six(2, AddressFlags.Deprecated | AddressFlags.Permanent), Six(3, AddressFlags.Tentative), Six(4, AddressFlags.None), Six(5, AddressFlags.Permanent)];

        AddressGuess.Default("", Routes6, addresses)!.Address.ShouldBe(addresses[4].Address, "one that an administrator set comes first");
        AddressGuess.Default("", Routes6, addresses[..4])!.Address.ShouldBe(addresses[3].Address);
        AddressGuess.Default("", Routes6, addresses[..3]).ShouldBeNull();
    }

    [Fact]
    public void AnAddressThatIsNotYetOursIsNotHere()
    {
        AddressGuess.InterfaceOf(IPAddress.Parse("2001:db8::3"), [Six(3, AddressFlags.Tentative)]).ShouldBeNull();
        AddressGuess.InterfaceOf(IPAddress.Parse("2001:db8::3"), [Six(3, AddressFlags.Temporary)]).ShouldBe("eth1");
    }

    [Fact]
    public void ReadsWhatTheKernelSaysOfAnAddress()
    {
        const string Table = "20010db8000000000000000000000005 02 40 00 21     eth1\n00000000000000000000000000000001 01 80 10 80       lo\n";

        var flags = InterfaceTable.Parse(Table);

        flags[IPAddress.Parse("2001:db8::5")].ShouldBe(AddressFlags.Deprecated | AddressFlags.Temporary);
        flags[IPAddress.IPv6Loopback].ShouldBe(AddressFlags.Permanent);
    }

    [Theory]
    [InlineData("10.0.0.5", "eth0")]
    [InlineData("127.0.0.9", "lo")]
    [InlineData("10.0.0.6", null)]
    public void KnowsWhoseAddressItIs(string address, string? expected) => AddressGuess.InterfaceOf(IPAddress.Parse(address), s_addresses).ShouldBe(expected);
}
