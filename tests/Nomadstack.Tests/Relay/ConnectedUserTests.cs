// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Ground.Kernel;
using Nomadstack.Relay;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

public sealed class ConnectedUserTests
{
    private static readonly IPEndPoint s_peer = new(IPAddress.Loopback, 0x9C41), s_own = new(IPAddress.Loopback, 0x1F90);

    [Theory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task TheUserOfAConnectionIsWhoeverMadeIt(AddressFamily family)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var caller = new Socket(family, SocketType.Stream, ProtocolType.Tcp);
        if (family == AddressFamily.InterNetworkV6) caller.DualMode = true;
        var to = (IPEndPoint)listener.LocalEndPoint!;
        await caller.ConnectAsync(family == AddressFamily.InterNetworkV6 ? new IPEndPoint(to.Address.MapToIPv6(), to.Port) : to);
        using var accepted = await listener.AcceptAsync();

        ConnectedUser.Of((IPEndPoint)accepted.RemoteEndPoint!, (IPEndPoint)accepted.LocalEndPoint!).ShouldBe(Libc.GetEffectiveUserId());
    }

    [Fact]
    public void ASocketThatItsOwnerClosedBelongsToNobody()
    {
        const string header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        static string Line(string state, int user) => $"   0: 0100007F:9C41 0100007F:1F90 {state} 00000000:00000000 00:00000000 00000000  {user}        0 12345 1 0\n";

        Find(header + Line("01", 1001)).ShouldBe(1001u);
        // The kernel shows 0 for the user of a socket that nobody holds: FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT.
        foreach (var state in new[] { "04", "05", "06", "08" }) Find(header + Line(state, 0)).ShouldBeNull();
        Find(header + Line("06", 0) + Line("01", 1001)).ShouldBe(1001u);
        Find(header).ShouldBeNull();
    }

    [Fact]
    public void TheOtherEndOfTheConnectionIsNotTakenForTheCallers() =>
        Find("header\n   0: 0100007F:1F90 0100007F:9C41 01 00000000:00000000 00:00000000 00000000  0        0 1 1 0\n").ShouldBeNull();

    [Fact]
    public void WhoeverBecameRootToRunItIsAnOperatorAndForAnOrdinaryUserNobodyElse()
    {
        var all = ConnectedUser.Operators(name => name == "SUDO_UID" ? "4711" : null);

        all.ShouldContain(0u);
        all.ShouldContain(Libc.GetEffectiveUserId());
        all.Contains(4711u).ShouldBe(Libc.GetEffectiveUserId() == 0);
        all.ShouldNotContain(uint.MaxValue);
    }

    private static uint? Find(string table) => ConnectedUser.Find(table, ConnectedUser.Word(s_peer), ConnectedUser.Word(s_own));
}
