// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class RemovalTests
{
    private static readonly Problem s_removed = new(PeerHealth.RemovedCode, "Node n9 was removed.", "So it says.", "Join anew.");

    private readonly PeerHealth _health = new(TimeProvider.System);
    private int _told;

    public RemovalTests() => _health.Removed += _ => _told++;

    [Fact]
    public void ANodeHearsOfItsRemovalFromTheOnlyPeerThatAnswers()
    {
        _health.Failed("n2", new("peers/unreachable", "", "", ""));
        _health.Refused("n1", s_removed);

        _told.ShouldBe(1);
    }

    [Fact]
    public void OnePeerAloneRemovesNobodyWhomOthersTakeForAMember()
    {
        _health.Heard("n1");
        _health.Refused("n2", s_removed);
        _told.ShouldBe(0);

        _health.Refused("n3", s_removed);
        _told.ShouldBe(1);
    }

    [Fact]
    public async Task ARemovedNodeThatComesBackIsToldByItsPeersAndRemembersIt()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        await second.EnterAsync(first);
        first.Membership.RemoveNode(second.File.Id);
        var heard = new TaskCompletionSource<Problem>();
        second.Peering!.Health.Removed += problem => heard.TrySetResult(problem);

        await second.Peering.Sync.ExchangeAsync(first.File.Id, CancellationToken.None);
        second.Membership.AcceptRemoval();

        heard.Task.IsCompletedSuccessfully.ShouldBeTrue();
        var again = new Membership(second.Paths, second.File, second.Time);
        again.Load();
        again.Self!.Removed.ShouldBeTrue();
    }
}
