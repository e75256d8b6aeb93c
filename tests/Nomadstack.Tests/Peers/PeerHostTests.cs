// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
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
    public async Task ConnectionsWithoutACertificateAreFewAndKeepNoMemberOut()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        var strangers = new List<Socket>();
        try
        {
            // From more addresses than it takes to fill all places.
            for (var i = 0; i < 6 * Strangers.FromOneAddress; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                strangers.Add(socket);
                socket.Bind(new IPEndPoint(IPAddress.Parse($"127.0.0.{100 + (i % 6)}"), 0));
                try
                {
                    await socket.ConnectAsync(IPAddress.Parse(a.File.Address), a.File.Ports.Peers);
                }
                catch (SocketException)
                {
                    // Turned away before we heard that we were in.
                }
            }

            // Those over the limit are turned away: they read an error or the end. The others wait for our first word.
            await Eventually(() => strangers.Count(s => !s.Connected || s.Poll(0, SelectMode.SelectRead)) >= strangers.Count - Strangers.AtOnce);
            a.Peering!.StrangersNow.ShouldBeLessThanOrEqualTo(Strangers.AtOnce);
            (await b.Peering!.Client.AskAsync(a.File.Id, CancellationToken.None)).NodeId.ShouldBe(a.File.Id);
        }
        finally
        {
            foreach (var socket in strangers) socket.Dispose();
        }

        await Eventually(() => a.Peering!.StrangersNow == 0);
    }

    [Fact]
    public async Task AStrangerThatSaysNothingIsLeftInTime()
    {
        await using var a = await TestNode.FirstAsync(time: new HastyTime(20));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Parse(a.File.Address), a.File.Ports.Peers);
        await using var tls = new SslStream(new NetworkStream(socket), false, (_, shown, _, _) => shown is not null);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", ApplicationProtocols = [SslApplicationProtocol.Http2] });

        await Eventually(() => a.Peering!.StrangersNow == 0);
    }

    private static async Task Eventually(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
        {
            deadline.IsCancellationRequested.ShouldBeFalse();
            await Task.Delay(50);
        }
    }

    /// <summary>A clock whose timers ring so many times sooner.</summary>
    private sealed class HastyTime(int times) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / times : dueTime, period);
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
        await using var second = new PeerHost(a.Membership, a.Pki, a.Identity, new JoinDesk(a.Membership, a.Pki, a.Peering!.Client, a.Peering.Health, a.Time), new SyncDesk(a.Membership), a.Peering.Secrets, a.Peering.Health, a.Time);

        (await Expect.RefusalAsync(() => second.StartAsync(IPAddress.Loopback, a.File.Ports.Peers, CancellationToken.None))).Code.ShouldBe("peers/cannot-listen");
    }
}
