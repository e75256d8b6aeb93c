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

        (await GossipProbe.AskAsync(IPAddress.Loopback, ((IPEndPoint)tcp.LocalEndpoint).Port, null, default)).ShouldBe(GossipAnswering.Deaf);
        (await GossipProbe.AskAsync(IPAddress.Loopback, RealAgent.FreePort(), null, default)).ShouldBe(GossipAnswering.NotUp);
    }

    [SkippableFact]
    public async Task ARealServerAnswersAPacketAsLargeAsGossipSends()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Nomad);
        var site = Role.Site(Role.Nomad, _folder.Sub("server"), ports, "127.0.0.1");
        await using var server = RealAgent.Start("nomad", _folder.Path, (NomadServerConfig.For(site, []) with { Bootstrap = true }).Render());

        await server.EventuallyAsync("gossip answers", async () => await GossipProbe.AskAsync(IPAddress.Loopback, ports.Of("nomadServerSerf"), null, default) == GossipAnswering.Answers);
    }

    /// <summary>In a closed cluster gossip is encrypted: who asks without its key gets no answer, and who asks with it does.</summary>
    [SkippableFact]
    public async Task ARealServerThatEncryptsAnswersWhoHasItsKey()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var ports = Role.FreePorts(RealAgent.FreePort, Role.Nomad);
        var site = Role.Site(Role.Nomad, _folder.Sub("server"), ports, "127.0.0.1");
        var configuration = System.Text.Json.Nodes.JsonNode.Parse((NomadServerConfig.For(site, []) with { Bootstrap = true }).Render())!;
        configuration["server"]!["encrypt"] = Convert.ToBase64String(new byte[32]);
        await using var server = RealAgent.Start("nomad", _folder.Path, configuration.ToJsonString());
        await server.EventuallyAsync("gossip answers", async () => GossipProbe.KeyIn(site.DataFolder) is { } key && await GossipProbe.AskAsync(IPAddress.Loopback, ports.Of("nomadServerSerf"), key, default) == GossipAnswering.Answers);

        (await GossipProbe.AskAsync(IPAddress.Loopback, ports.Of("nomadServerSerf"), null, default)).ShouldBe(GossipAnswering.Deaf);
        GossipProbe.KeyIn(_folder.Sub("nothing-here")).ShouldBeNull();
    }
}
