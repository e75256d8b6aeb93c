// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Security;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class PeerHostTests
{
    [Fact]
    public async Task AMemberIsAnsweredAndItsInstanceTold()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);

        var answer = await b.Peering!.Client.AskAsync(a.File.Id, CancellationToken.None);

        answer.NodeId.ShouldBe(a.File.Id);
        answer.Instance.ShouldBe(a.Identity.Instance);
        answer.ClusterId.ShouldBe(a.Pki.ClusterId);
    }

    [Fact]
    public async Task ARemovedNodeIsRefusedAndToldSo()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        a.Membership.RemoveNode(b.File.Id);

        (await Expect.RefusalAsync(() => b.Peering!.Client.AskAsync(a.File.Id, CancellationToken.None))).Code.ShouldBe("peers/removed");
        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        b.Peering.Health.Of(a.File.Id).LastError!.Code.ShouldBe("peers/removed");
        a.Peering!.Health.Of(b.File.Id).LastHeard.ShouldBeNull();
    }

    [Theory]
    [InlineData("/v1/peer", HttpStatusCode.Unauthorized)]
    [InlineData("/v1/sync", HttpStatusCode.Unauthorized)]
    [InlineData("/v1/ping", HttpStatusCode.OK)]
    [InlineData("/", HttpStatusCode.NotFound)]
    public async Task AStrangerMayOnlyAskWhoIsThere(string path, HttpStatusCode expected)
    {
        await using var a = await TestNode.FirstAsync();
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null } });
        using var request = new HttpRequestMessage(path == "/v1/sync" ? HttpMethod.Post : HttpMethod.Get, $"https://{a.At}{path}") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var response = await http.SendAsync(request);

        response.StatusCode.ShouldBe(expected);
    }

    [Fact]
    public async Task AnotherClustersNodeCannotConnect()
    {
        await using var a = await TestNode.FirstAsync();
        await using var stranger = await TestNode.FirstAsync("n2", "127.0.0.2");

        (await stranger.Peering!.Client.TryAskAsync(a.File.Address, a.File.Ports.Peers, CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task AnotherNodeAtTheAddressIsNotTakenForTheOneMeant()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        var absent = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n3", Address = a.File.Address, Ports = a.File.Ports };
        b.Membership.Admit(_ => absent);

        (await Expect.RefusalAsync(() => b.Peering!.Client.AskAsync(absent.Id, CancellationToken.None))).Code.ShouldBe("peers/unreachable");
    }

    [Fact]
    public async Task ATakenPortIsNamed()
    {
        await using var a = await TestNode.FirstAsync();
        await using var second = new PeerHost(a.Membership, a.Pki, a.Identity, new JoinDesk(a.Membership, a.Pki, a.Peering!.Client, a.Time), new SyncDesk(a.Membership), a.Peering.Secrets, a.Peering.Health, a.Time);

        (await Expect.RefusalAsync(() => second.StartAsync(IPAddress.Loopback, a.File.Ports.Peers, CancellationToken.None))).Code.ShouldBe("peers/cannot-listen");
    }
}
