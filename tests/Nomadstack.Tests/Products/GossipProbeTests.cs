// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Nomad;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Products;

public sealed class GossipProbeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task APortThatIsOpenForTcpAloneIsDeafAndOneThatIsClosedTellsNothing()
    {
        using var tcp = new TcpListener(IPAddress.Loopback, 0);
        tcp.Start();

        (await GossipProbe.AskAsync(IPAddress.Loopback, ((IPEndPoint)tcp.LocalEndpoint).Port, default)).ShouldBe(GossipAnswering.Deaf);
        (await GossipProbe.AskAsync(IPAddress.Loopback, RealAgent.FreePort(), default)).ShouldBe(GossipAnswering.NotUp);
    }

    [SkippableFact]
    public async Task ARealServerAnswersAPacketAsLargeAsGossipSends()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Nomad);
        var site = Role.Site(Role.Nomad, _folder.Sub("server"), ports, "127.0.0.1");
        await using var server = RealAgent.Start("nomad", _folder.Path, (NomadServerConfig.For(site, []) with { Bootstrap = true }).Render());

        await server.EventuallyAsync("gossip answers", async () => await GossipProbe.AskAsync(IPAddress.Loopback, ports.Of("nomadServerSerf"), default) == GossipAnswering.Answers);
    }
}
