// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class AntiEntropyTests
{
    [Fact]
    public async Task ThreeNodesAgreeWithinASecondOfAChange()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3");
        await b.EnterAsync(a);
        await c.EnterAsync(a);
        foreach (var node in new[] { a, b, c }) node.Run();
        await Expect.EventuallyAsync("all know three nodes", TimeSpan.FromSeconds(5), () => Same(a, b, c) && b.Membership.Current!.Nodes.Count == 3);

        for (var round = 0; round < 3; round++)
        {
            var clock = Stopwatch.StartNew();
            var raft = "raft" + round;
            b.Membership.UpdateSelf(e => e with { Servers = [new("nomad", raft, "job", "running", 1, 2, 3)] });
            await Expect.EventuallyAsync("the change is everywhere", TimeSpan.FromSeconds(5), () => Same(a, b, c));
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(1));
        }

        c.Membership.Current!.Nodes[b.File.Id].Servers.Single().RaftId.ShouldBe("raft2");
        a.Peering!.Health.Of(c.File.Id).LastHeard.ShouldNotBeNull();
        c.Membership.Current.Tokens.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task BothSidesOfAnExchangeLearnOfEachOthersDisk()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        a.Peering!.Health.Disk = () => new("/a", 95, 5);
        b.Peering!.Health.Disk = () => new("/b", 96, 4);

        await a.Peering.Sync.ExchangeAsync(b.File.Id, CancellationToken.None);

        a.Peering.Health.DiskOf(b.File.Id).ShouldBe(new("/b", 96, 4));
        b.Peering.Health.DiskOf(a.File.Id).ShouldBe(new("/a", 95, 5));
        await b.Peering.DisposeAsync();
        await a.Peering.Sync.ExchangeAsync(b.File.Id, CancellationToken.None);
        a.Peering.Health.DiskOf(b.File.Id).ShouldNotBeNull("a full disk may be why it is silent");
    }

    [Theory]
    [InlineData("", 1, 1)]
    [InlineData("a\nb", 1, 1)]
    [InlineData("/", -1, 1)]
    [InlineData("/", 1, -1)]
    public void ADiskThatCannotBeShownIsNotNoted(string mount, long used, long available)
    {
        var health = new PeerHealth(TimeProvider.System);

        health.Note("n", new(mount, used, available));

        health.DiskOf("n").ShouldBeNull();
    }

    [Fact]
    public async Task APeerThatFallsSilentIsUnreachableUntilItIsHeardAgain()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        a.Run();
        await Expect.EventuallyAsync("b answers", TimeSpan.FromSeconds(5), () => a.Peering!.Health.Of(b.File.Id).LastHeard is not null);
        a.Peering!.IsReachable(b.File.Id).ShouldBeTrue();

        await b.Peering!.DisposeAsync();
        await Expect.EventuallyAsync("b is missed", TimeSpan.FromSeconds(8), () => !a.Peering.IsReachable(b.File.Id));
        a.Peering.Health.Of(b.File.Id).LastError!.Code.ShouldBe("peers/unreachable");

        await b.OpenAsync();
        await Expect.EventuallyAsync("b is back", TimeSpan.FromSeconds(5), () => a.Peering.IsReachable(b.File.Id));
    }

    [Fact]
    public async Task OnePeerThatBringsOutABugEndsNothing()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        // Past the rules on purpose: no such port exists, and calling it throws what nobody catches.
        var broken = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n3", Address = "127.0.0.3", Ports = a.File.Ports.WithPeers(99_999_999) };
        a.Membership.Admit(_ => broken);
        List<Nomadstack.Cluster.Problem> told = [];
        a.Membership.Refusals.Told += problem =>
        {
            lock (told) told.Add(problem);
        };
        a.Run();
        await Expect.EventuallyAsync("the broken one was tried", TimeSpan.FromSeconds(5), () => a.Membership.Refusals.Of(broken.Id) > 1);

        a.Membership.UpdateSelf(e => e with { Version = "0.9.0" });
        await Expect.EventuallyAsync("the other one hears of it", TimeSpan.FromSeconds(5), () => b.Membership.Current!.Nodes[a.File.Id].Version == "0.9.0");

        told.ShouldHaveSingleItem().Code.ShouldBe("peers/exchange-failed");
        a.Peering!.Health.Of(broken.Id).LastError!.What.ShouldContain("n3");
    }

    [Fact]
    public async Task FiveHundredEntriesTravelInBoundedMessages()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        Fill(a, 500, 1);
        Fill(b, 500, 2);

        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);

        b.Peering.Health.Of(a.File.Id).LastError.ShouldBeNull();
        Same(a, b).ShouldBeTrue();
        a.Membership.Current!.Nodes.Count.ShouldBe(1002);
    }

    [Fact]
    public async Task NoAnswerHoldsMoreEntriesThanTheLimit()
    {
        await using var a = await TestNode.FirstAsync();
        Fill(a, 1000, 1);
        var versions = Enumerable.Range(0, 1000).ToDictionary(i => $"n:{Guid.NewGuid()}", _ => "1:x");

        var answer = new SyncDesk(a.Membership).Answer(new SyncRequest("") { Full = "other", Buckets = [.. Enumerable.Range(0, Digests.BucketCount)], Versions = versions });

        answer.Newer!.Nodes.Count.ShouldBe(SyncLimits.Entries);
        answer.Want!.Count.ShouldBe(SyncLimits.Entries);
        JsonSerializer.SerializeToUtf8Bytes(answer, PeersJson.Default.SyncAnswer).Length.ShouldBeLessThan(SyncLimits.BodyBytes);
    }

    [Fact]
    public async Task OneChangeAmongManyCostsAboutTheSameAsAmongFew()
    {
        (await CostOfOneChangeAsync(500)).ShouldBeLessThan(await CostOfOneChangeAsync(3) + 4096);
    }

    private static async Task<int> CostOfOneChangeAsync(int entries)
    {
        await using var a = await TestNode.FirstAsync();
        Fill(a, entries, 1);
        var before = a.Membership.Current!;
        a.Membership.UpdateSelf(e => e with { Version = "0.2.0" });
        var desk = new SyncDesk(a.Membership);
        var ours = Digests.Of(before);
        var first = new SyncRequest("") { Full = ours.Whole };
        var buckets = desk.Answer(first);
        var differing = Enumerable.Range(0, Digests.BucketCount).Where(i => ours.Buckets[i] != buckets.Buckets![i]).ToList();
        var second = new SyncRequest("") { Full = ours.Whole, Buckets = differing, Versions = differing.SelectMany(i => ours.Bucket(i)).ToDictionary() };
        var answer = desk.Answer(second);
        answer.Newer!.Nodes.Keys.ShouldBe([a.File.Id]);

        return JsonSerializer.SerializeToUtf8Bytes(first, PeersJson.Default.SyncRequest).Length + JsonSerializer.SerializeToUtf8Bytes(buckets, PeersJson.Default.SyncAnswer).Length
            + JsonSerializer.SerializeToUtf8Bytes(second, PeersJson.Default.SyncRequest).Length + JsonSerializer.SerializeToUtf8Bytes(answer, PeersJson.Default.SyncAnswer).Length;
    }

    private static void Fill(TestNode node, int count, int seed)
    {
        var random = new Random(seed);
        var nodes = new Dictionary<string, NodeEntry>(node.Membership.Current!.Nodes);
        for (var i = 0; i < count; i++)
        {
            var bytes = new byte[16];
            random.NextBytes(bytes);
            var id = new Guid(bytes).ToString();
            nodes[id] = new NodeEntry { Id = id, Name = $"s{seed}-{i}", Address = $"10.{seed}.{i / 250}.{i % 250 + 1}", Version = "0.1.0" };
        }

        node.Membership.Merge(node.Membership.Current with { Nodes = nodes });
    }

    private static bool Same(params TestNode[] nodes) => nodes.Select(n => Digests.Of(n.Membership.Current!).Whole).Distinct().Count() == 1;
}
