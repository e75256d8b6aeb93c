// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class MembershipTests
{
    [Fact]
    public async Task ARestartKeepsTheMembership()
    {
        await using var node = await TestNode.FirstAsync();
        node.Membership.UpdateSelf(e => e with { Servers = [new("nomad", "raft", "job", "running", 1, 2, 3)] }).ShouldBeTrue();
        node.Token();

        var again = new Membership(node.Paths, node.File, TimeProvider.System);
        again.Load();

        Digests.Of(again.Current!).Whole.ShouldBe(Digests.Of(node.Membership.Current!).Whole);
        again.Self!.Servers.Single().RaftId.ShouldBe("raft");
        File.GetUnixFileMode(node.Paths.ClusterFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task ATornFileIsNamedAndNeverReset()
    {
        await using var node = await TestNode.FirstAsync();
        var torn = File.ReadAllText(node.Paths.ClusterFile)[..100];
        File.WriteAllText(node.Paths.ClusterFile, torn);

        var problem = Should.Throw<ProblemException>(new Membership(node.Paths, node.File, TimeProvider.System).Load).Problem;

        problem.Code.ShouldBe("storage/torn");
        problem.What.ShouldContain(node.Paths.ClusterFile);
        File.ReadAllText(node.Paths.ClusterFile).ShouldBe(torn);
    }

    [Fact]
    public async Task AnotherNodesFileIsRefused()
    {
        await using var node = await TestNode.FirstAsync();
        var stranger = node.File with { Id = Guid.NewGuid().ToString() };

        Should.Throw<ProblemException>(new Membership(node.Paths, stranger, TimeProvider.System).Load).Problem.Code.ShouldBe("peers/foreign-folder");
    }

    [Fact]
    public async Task SayingTheSameAgainChangesNothing()
    {
        await using var node = await TestNode.FirstAsync();
        node.Membership.UpdateSelf(e => e with { Servers = [new("nomad", "raft", "job", "running", 1, 2, 3)] });
        var changes = 0;
        node.Membership.Changed += () => changes++;

        node.Membership.UpdateSelf(e => e with { Servers = [new("nomad", "raft", "job", "running", 1, 2, 3)] }).ShouldBeFalse();
        node.Membership.Merge(node.Membership.Current!).ShouldBeFalse();
        changes.ShouldBe(0);

        node.Membership.UpdateSelf(e => e with { Servers = [] }).ShouldBeTrue();
        changes.ShouldBe(1);
        node.Membership.Self!.Incarnation.ShouldBe(3);
    }

    [Fact]
    public async Task ANewerPeersDocumentStaysReadableHere()
    {
        await using var node = await TestNode.FirstAsync();
        var other = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2" };

        node.Membership.Merge(node.Membership.Current! with { Schema = 2, Nodes = new Dictionary<string, NodeEntry> { [other.Id] = other } }).ShouldBeTrue();

        var again = new Membership(node.Paths, node.File, TimeProvider.System);
        again.Load();
        again.Current!.Nodes.Count.ShouldBe(2);
    }

    [Fact]
    public async Task ARemovalWinsOverWhatTheRemovedNodeSaysMeanwhile()
    {
        await using var node = await TestNode.FirstAsync();
        var other = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2" };
        node.Membership.Admit(_ => other);

        node.Membership.RemoveNode(other.Id);
        node.Membership.Merge(node.Membership.Current! with { Nodes = new Dictionary<string, NodeEntry> { [other.Id] = other with { Incarnation = 99 } } });

        node.Membership.Current!.Nodes[other.Id].Removed.ShouldBeTrue();
        node.Membership.Others.ShouldBeEmpty();
        Should.Throw<ProblemException>(() => node.Membership.RemoveNode(node.File.Id)).Problem.Code.ShouldBe("node/self");
        Should.Throw<ProblemException>(() => node.Membership.RemoveNode(Guid.NewGuid().ToString())).Problem.Code.ShouldBe("node/unknown");
    }

    [Fact]
    public async Task ForgettingMovesTheKeysAsideAndLeavesNoCluster()
    {
        await using var node = await TestNode.FirstAsync();

        await node.Membership.ForgetAsync();

        node.Membership.Current.ShouldBeNull();
        File.Exists(node.Paths.ClusterFile).ShouldBeFalse();
        Directory.Exists(node.Paths.Pki).ShouldBeFalse();
        File.Exists(Path.Combine(Directory.GetDirectories(node.Paths.Retired).Single(), "ca.key")).ShouldBeTrue();
        using var pki = Pki.Mint(node.Paths, Guid.NewGuid().ToString(), node.File, TimeProvider.System);
    }
}
