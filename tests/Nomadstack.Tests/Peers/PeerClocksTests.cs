// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>Row 19: a clock in the future makes certificates that are not yet valid for anybody else.</summary>
public sealed class PeerClocksTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("n2:0 n3:4", "")]
    [InlineData("n2:-600 n3:-600", "this node's clock is 10 hours ahead of those of most others")]
    [InlineData("n2:600 n3:601", "this node's clock is 10 hours behind those of most others")]
    [InlineData("n2:90", "the clock of n2 is 90 minutes ahead of this node's")]
    [InlineData("n2:90 n3:0", "the clock of n2 is 90 minutes ahead of this node's")]
    [InlineData("n2:90 n3:-90", "the clock of n3 is 90 minutes behind this node's; the clock of n2 is 90 minutes ahead of this node's")]
    [InlineData("n2:-600 n3:-600 n4:0 n5:0", "the clock of n2 is 10 hours behind this node's; the clock of n3 is 10 hours behind this node's")]
    [InlineData("n2:-600 n3:-600 n4:-600 n5:0", "this node's clock is 10 hours ahead of those of most others")]
    public void TheClockThatMostDisagreeWithIsWrong(string minutes, string words) =>
        PeerClocks.Judge(minutes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split(':')).ToDictionary(p => p[0], p => TimeSpan.FromMinutes(int.Parse(p[1], System.Globalization.CultureInfo.InvariantCulture)))).InWords().ShouldBe(words);

    [Fact]
    public async Task AnExchangeTellsWhoseClockIsWrongAndThatOneLetsNobodyIn()
    {
        var ahead = new Clock();
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3", ahead);
        await b.EnterAsync(a);
        await c.EnterAsync(a);
        ahead.Shift = TimeSpan.FromDays(40);

        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        foreach (var peer in new[] { a, b })
        {
            await c.Peering!.Sync.ExchangeAsync(peer.File.Id, CancellationToken.None);
            await peer.Peering!.Sync.ExchangeAsync(c.File.Id, CancellationToken.None);
        }

        c.Peering!.Health.Clocks(c.Membership.Others).Own!.Value.TotalDays.ShouldBe(40, 0.1);
        a.Peering!.Health.Clocks(a.Membership.Others).InWords().ShouldBe("the clock of n3 is 40 days ahead of this node's");
        await using var d = new TestNode("n4", "127.0.0.4", ahead);
        (await Expect.RefusalAsync(() => d.JoinAsync(c.At, c.Token()))).Code.ShouldBe("join/clock-off");
        ahead.Shift = TimeSpan.Zero;
        await d.JoinAsync(c.At, c.Token());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ANodeWhoseClockIsAloneAheadKeepsItsCertificateAndOneWhoseClockIsRightRenewsIt(bool others)
    {
        var (world, own) = (new Clock(), new Clock());
        await using var a = await TestNode.FirstAsync(time: world);
        await using var b = new TestNode("n2", "127.0.0.2", world);
        await using var c = new TestNode("n3", "127.0.0.3", own);
        await b.EnterAsync(a);
        await c.JoinAsync(a.At, a.Token());
        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        var before = await File.ReadAllTextAsync(Path.Combine(c.Paths.Pki, "node.crt"));

        // 300 of its 365 days are over, or seem to be.
        own.Shift = TimeSpan.FromDays(300);
        if (!others) world.Shift = own.Shift;
        using var peers = new NodePeers(
            new NodeContext(c.File, c.Paths, c.Membership, ProductTable.Known, own, NullLoggerFactory.Instance),
            "0.1.0",
            new NodePrograms(c.Paths, ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>>(), () => null));
        await peers.StartAsync(CancellationToken.None);
        await peers.StopAsync();

        var after = await File.ReadAllTextAsync(Path.Combine(c.Paths.Pki, "node.crt"));
        (after == before).ShouldBe(others);
        using var certificate = X509Certificate2.CreateFromPem(after);
        Certificates.Complaint(certificate, a.Pki.Ca, world.GetUtcNow()).ShouldBeNull("it is valid for the others");
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
