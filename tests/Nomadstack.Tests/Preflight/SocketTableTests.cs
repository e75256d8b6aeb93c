// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Preflight;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Preflight;

public sealed class SocketTableTests
{
    private const string Header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    [Fact]
    public void ReadsListenersOnly() =>
        SocketTable.Parse(Header + "   0: 0100007F:1227 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0\n   1: 0100007F:1228 0100007F:1227 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n", udp: false)
            .ShouldBe([new(IPAddress.Loopback, 4647, false, 4711)]);

    [Fact]
    public void ReadsMappedAndPlainIPv6() =>
        SocketTable.Parse(Header + "   0: 0000000000000000FFFF00000100007F:1227 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n   1: 00000000000000000000000000000000:1228 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 2 1 0\n", udp: false)
            .Select(s => s.Address).ShouldBe([IPAddress.Loopback, IPAddress.IPv6Any]);
}
