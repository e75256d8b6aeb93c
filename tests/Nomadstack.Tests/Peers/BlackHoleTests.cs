// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Doctor;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>Row 31: TCP connects and TLS stalls, because large packets are lost on the way.</summary>
public sealed class BlackHoleTests
{
    [Fact]
    public async Task AJoinThroughItIsToldWhatItIsAndGoesThroughOnceTheMtuIsRight()
    {
        await using var a = await TestNode.FirstAsync();
        await using var way = new BlackHole(a.File.Address, a.File.Ports.Peers);
        await using var b = new TestNode("n2", "127.0.0.2");
        var token = a.Token();

        var refused = await Expect.RefusalAsync(() => b.JoinAsync(new("127.0.0.1", way.Port), token));
        way.Swallows = false;
        await b.JoinAsync(new("127.0.0.1", way.Port), token);

        refused.Code.ShouldBe("join/large-packets-lost");
        refused.Fix.ShouldContain("MTU");
        b.Membership.Self.ShouldNotBeNull();
    }

    [Fact]
    public async Task AnAgentThatIsStuckIsNotTakenForIt()
    {
        var stuck = new TcpListener(IPAddress.Loopback, 0);
        stuck.Start();
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");

        var refused = await Expect.RefusalAsync(() => b.JoinAsync(new("127.0.0.1", ((IPEndPoint)stuck.LocalEndpoint).Port), a.Token()));

        refused.Code.ShouldBe("join/no-answer");
        stuck.Stop();
    }

    [Fact]
    public async Task APeerBehindItIsUnreachableAndTheReasonIsKept()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        await using var way = new BlackHole(b.File.Address, b.File.Ports.Peers);
        b.Membership.UpdateSelf(self => self with { Address = "127.0.0.1", Ports = self.Ports.WithPeers(way.Port) });
        a.Membership.Merge(b.Membership.Current!, b.File.Id);

        for (var n = 0; n < 3; n++) await a.Peering!.Sync.ExchangeAsync(b.File.Id, CancellationToken.None);

        a.Peering!.IsReachable(b.File.Id).ShouldBeFalse();
        a.Peering.Health.Of(b.File.Id).LastError!.Code.ShouldBe(PeerProblems.LargePacketsLostCode);
        way.Swallows = false;
        await a.Peering.Sync.ExchangeAsync(b.File.Id, CancellationToken.None);
        a.Peering.Health.Of(b.File.Id).LastError.ShouldBeNull();
    }

    [Fact]
    public async Task TheDoctorTellsAPeerBehindItFromOneThatAnswersAndOneThatIsOff()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3");
        await b.EnterAsync(a);
        await c.EnterAsync(a);
        await using var way = new BlackHole(b.File.Address, b.File.Ports.Peers);
        b.Membership.UpdateSelf(self => self with { Address = "127.0.0.1", Ports = self.Ports.WithPeers(way.Port) });
        c.Membership.Merge(b.Membership.Current!, b.File.Id);
        await a.Peering!.DisposeAsync();

        var seen = await SeenPeer.AllAsync(c.Paths, c.Membership.Current!, c.File.Id, TimeProvider.System, CancellationToken.None);
        way.Swallows = false;
        var mended = await SeenPeer.AllAsync(c.Paths, c.Membership.Current!, c.File.Id, TimeProvider.System, CancellationToken.None);

        seen.ToDictionary(p => p.Name, p => p.Answering).ShouldBe(new Dictionary<string, PeerAnswering> { ["n1"] = PeerAnswering.Away, ["n2"] = PeerAnswering.OnlySmall }, ignoreOrder: true);
        mended.Single(p => p.Name == "n2").Answering.ShouldBe(PeerAnswering.Fully);
    }

    [Fact]
    public async Task APaddedAnswerFillsAPacketAndIsBounded()
    {
        await using var a = await TestNode.FirstAsync();
        using var http = PeerProbe.Client(() => { }, _ => true);

        var padded = await http.GetStringAsync(new Uri($"https://{a.At}/v1/ping?padding=1000000"));
        var plain = await http.GetStringAsync(new Uri($"https://{a.At}/v1/ping"));

        (padded.Length - plain.Length).ShouldBeInRange(PeerProbe.Padding, PeerProbe.Padding + 100);
    }
}
