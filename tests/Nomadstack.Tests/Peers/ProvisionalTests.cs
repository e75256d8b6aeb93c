// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>Row 31: a node that was let in and did not get through.</summary>
public sealed class ProvisionalTests
{
    [Fact]
    public async Task ANodeIsProvisionalUntilItSpeaksForItself()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        Provisional.Is(a.Membership.Current!.Nodes[b.File.Id]).ShouldBeTrue();

        b.Membership.UpdateSelf(self => self);
        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);

        Provisional.Is(a.Membership.Current.Nodes[b.File.Id]).ShouldBeFalse();
        a.Membership.Current.Nodes[b.File.Id].Signed!.By.ShouldBe(b.File.Id);
    }

    [Fact]
    public async Task OneThatNeverCameBlocksNeitherItsNameNorItsAddress()
    {
        var time = new ShiftableTime();
        await using var a = await TestNode.FirstAsync(time: time);
        await using var lost = new TestNode("n2", "127.0.0.2", time);
        var token = a.Token();
        await lost.JoinAsync(a.At, token);
        // Its data folder is wiped, and it comes as a new node.
        await using var again = new TestNode("n2", "127.0.0.2", time, file: lost.File with { Id = Guid.NewGuid().ToString() });

        (await Expect.RefusalAsync(() => again.JoinAsync(a.At, token))).Code.ShouldBe("join/duplicate-name", "it may be on its way");
        time.Shift = Provisional.Blocks + TimeSpan.FromSeconds(1);
        await again.JoinAsync(a.At, token);

        a.Membership.Current!.Nodes[lost.File.Id].Removed.ShouldBeTrue();
        a.Membership.Current.Nodes[again.File.Id].Removed.ShouldBeFalse();
    }

    [Fact]
    public async Task OneThatCameKeepsItsNameAndAddressHoweverLongAgo()
    {
        var time = new ShiftableTime();
        await using var a = await TestNode.FirstAsync(time: time);
        await using var b = new TestNode("n2", "127.0.0.2", time);
        await b.EnterAsync(a);
        b.Membership.UpdateSelf(self => self);
        await b.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        time.Shift = TimeSpan.FromHours(2);
        a.Membership.Prune();
        await using var other = new TestNode("n2", "127.0.0.3", time);

        (await Expect.RefusalAsync(() => other.JoinAsync(a.At, a.Token()))).Code.ShouldBe("join/duplicate-name");
        a.Membership.Current!.Nodes[b.File.Id].Removed.ShouldBeFalse();
    }

    [Fact]
    public async Task OneThatAsksAgainWithTheSameKeyIsLetInAgain()
    {
        var time = new ShiftableTime();
        await using var a = await TestNode.FirstAsync(time: time);
        await using var b = new TestNode("n2", "127.0.0.2", time);
        var token = a.Token();
        await b.JoinAsync(a.At, token);
        File.Delete(b.Paths.ClusterFile);
        time.Shift = TimeSpan.FromMinutes(10);
        await using var restarted = new TestNode("n2", "127.0.0.2", time, b.Folder, b.File);

        await restarted.JoinAsync(a.At, token);

        Provisional.IsOverdue(a.Membership.Current!.Nodes[b.File.Id], time.GetUtcNow()).ShouldBeFalse("its time begins anew");
    }

    [Theory]
    [InlineData(59, false)]
    [InlineData(61, true)]
    public async Task OneThatNeverCameIsForgottenAfterAnHour(int minutes, bool gone)
    {
        var time = new ShiftableTime();
        await using var a = await TestNode.FirstAsync(time: time);
        await using var lost = new TestNode("n2", "127.0.0.2", time);
        await lost.JoinAsync(a.At, a.Token());
        time.Shift = TimeSpan.FromMinutes(minutes);

        a.Membership.Prune();

        a.Membership.Current!.Nodes[lost.File.Id].Removed.ShouldBe(gone);
    }

    private sealed class ShiftableTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
