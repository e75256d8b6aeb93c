// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>How long tokens and removals count, how often a token does, and when both are forgotten.</summary>
public sealed class TokenTests
{
    [Fact]
    public async Task ATokenLetsInAsManyNodesAsItSays()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3");
        var token = a.Membership.CreateToken(TimeSpan.FromHours(1), uses: 1).Reveal();

        await b.JoinAsync(a.At, token);
        // As one does that crashed before it had the answer.
        await b.JoinAsync(a.At, token);
        var problem = await Expect.RefusalAsync(() => c.JoinAsync(a.At, token));

        problem.Code.ShouldBe("join/used-up");
        a.Membership.Current!.Nodes.Keys.ShouldBe([a.File.Id, b.File.Id], ignoreOrder: true);
    }

    [Fact]
    public async Task ARemovedNodeHasUsedItsTokenAllTheSame()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3");
        var token = a.Membership.CreateToken(TimeSpan.FromHours(1), uses: 1).Reveal();
        await b.JoinAsync(a.At, token);
        a.Membership.RemoveNode(b.File.Id);

        (await Expect.RefusalAsync(() => c.JoinAsync(a.At, token))).Code.ShouldBe("join/used-up");
    }

    [Fact]
    public async Task WhoJoinedStillCountsWhenItSpeaksForItself()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        var token = a.Membership.CreateToken(null, uses: 2);
        await b.JoinAsync(a.At, token.Reveal());
        b.WirePeering();

        b.Membership.UpdateSelf(self => self with { Version = "0.2.0" }).ShouldBeTrue();

        b.Membership.Self!.JoinedWith.ShouldBe(token.Id);
    }

    [Fact]
    public async Task ATokenIsForgottenAMonthAfterItsEndAndTakenFromNobodyAgain()
    {
        var time = new MovableTime();
        await using var a = await FirstAsync(time);
        a.Membership.CreateToken(TimeSpan.FromHours(24));
        var lasting = a.Membership.CreateToken(null);
        var before = a.Membership.Current!;

        time.Shift = TimeSpan.FromDays(30);
        a.Membership.Prune().ShouldBeFalse("it ended less than a month ago");
        time.Shift = TimeSpan.FromDays(31) + TimeSpan.FromHours(1);
        a.Membership.Prune().ShouldBeTrue();

        a.Membership.Current!.Tokens.Keys.ShouldBe([lasting.Id]);
        a.Membership.Merge(before).ShouldBeFalse();
        a.Membership.Current!.Tokens.Keys.ShouldBe([lasting.Id]);
    }

    [Fact]
    public async Task ARevokedTokenWithoutAnEndIsRememberedForMoreThanAYear()
    {
        var time = new MovableTime();
        await using var a = await FirstAsync(time);
        var token = a.Membership.CreateToken(null);
        a.Membership.RevokeToken(token.Id);

        time.Shift = TimeSpan.FromDays(399);
        a.Membership.Prune().ShouldBeFalse();
        a.Membership.Current!.Tokens[token.Id].Revoked.ShouldBeTrue();

        time.Shift = Pruning.RemovedKept + Pruning.TokenKept + TimeSpan.FromDays(1);
        a.Membership.Prune().ShouldBeTrue();
        a.Membership.Current!.Tokens.ShouldBeEmpty();
    }

    [Fact]
    public async Task ARemovalIsRememberedForMoreThanAYear()
    {
        var time = new MovableTime();
        await using var a = await FirstAsync(time);
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.JoinAsync(a.At, a.Token());
        var member = a.Membership.Current!.Nodes[b.File.Id];
        a.Membership.RemoveNode(b.File.Id);

        time.Shift = TimeSpan.FromDays(399);
        a.Membership.Prune().ShouldBeFalse();
        a.Membership.Merge(a.Membership.Current! with { Nodes = new Dictionary<string, NodeEntry> { [member.Id] = member } }).ShouldBeFalse("it is known as removed");

        time.Shift = TimeSpan.FromDays(401);
        a.Membership.Prune().ShouldBeTrue();
        a.Membership.Current!.Nodes.Keys.ShouldBe([a.File.Id]);
    }

    [Fact]
    public async Task ARemovalWithoutATimeGrowsOldFromTheFirstLookOn()
    {
        var time = new MovableTime();
        await using var a = await FirstAsync(time);
        var old = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2", Removed = true };
        a.Membership.Admit(_ => old);

        a.Membership.Prune().ShouldBeTrue();
        a.Membership.Current!.Nodes[old.Id].Removed.ShouldBeTrue();
        a.Membership.Current!.Nodes[old.Id].RemovedAt.ShouldNotBeNull();
        a.Membership.Current!.Nodes[old.Id].Signed.ShouldNotBeNull();
        a.Membership.Prune().ShouldBeFalse("once is enough");

        time.Shift = TimeSpan.FromDays(401);
        a.Membership.Prune().ShouldBeTrue();
        a.Membership.Current!.Nodes.Keys.ShouldBe([a.File.Id]);
    }

    [Fact]
    public async Task NothingIsForgottenWhereAnAgentOfTheFirstReleaseWouldBringItBack()
    {
        var time = new MovableTime();
        await using var a = await FirstAsync(time);
        var released = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2" };
        a.Membership.Current!.Nodes.Values.ShouldAllBe(n => !n.IsReleased);
        a.Membership.CreateToken(TimeSpan.FromHours(24));

        var mixed = a.Membership.Current! with { Nodes = new Dictionary<string, NodeEntry>(a.Membership.Current!.Nodes) { [released.Id] = released } };

        Pruning.Of(mixed, time.GetUtcNow() + TimeSpan.FromDays(99), a.File.Id, mixed: true).ShouldBeSameAs(mixed);
        Pruning.Of(mixed, time.GetUtcNow() + TimeSpan.FromDays(99), a.File.Id, mixed: false).Tokens.ShouldBeEmpty();
    }

    /// <summary>A cluster of one whose agent has said that it signs, as every agent does once it runs.</summary>
    private static async Task<TestNode> FirstAsync(TimeProvider time)
    {
        var node = await TestNode.FirstAsync(time: time);
        node.Membership.UpdateSelf(self => self with { Version = "0.2.0" });
        return node;
    }

    /// <summary>The clock, moved by hand.</summary>
    private sealed class MovableTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
