// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class SecretStoreTests : IDisposable
{
    private static readonly byte[] s_value = Encoding.UTF8.GetBytes("the gossip key");

    private readonly Members _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task EveryServerNodeHasItAndItIsOpenNowhere()
    {
        var (a, b, c) = await ThreeAsync();
        var (of, ofB, ofC) = (new SecretStore(a.Membership), new SecretStore(b.Membership), new SecretStore(c.Membership));
        of.Put("gossip.nomad", s_value);

        await MeetAsync((b, ofB), (a, of));
        await MeetAsync((c, ofC), (b, ofB));

        new[] { of, ofB, ofC }.ShouldAllBe(s => s.Open("gossip.nomad")!.SequenceEqual(s_value));
        new[] { of.Digest, ofB.Digest, ofC.Digest }.Distinct().Count().ShouldBe(1);
        foreach (var member in new[] { a, b, c })
        {
            File.GetUnixFileMode(member.Paths.Secrets).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.GetUnixFileMode(Path.Combine(member.Paths.Secrets, "gossip.nomad.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
            foreach (var file in Directory.GetFiles(member.Paths.Data, "*", SearchOption.AllDirectories))
            {
                var text = File.ReadAllText(file);
                text.ShouldNotContain(Encoding.UTF8.GetString(s_value));
                text.ShouldNotContain(Convert.ToBase64String(s_value)[..16]);
            }
        }

        new SecretStore(c.Membership).Open("gossip.nomad").ShouldBe(s_value, "after a restart");
    }

    [Fact]
    public async Task AClientNodeGetsNoneAndCanWriteNone()
    {
        var a = _cluster.First();
        var client = _cluster.Joined(a, NodeKind.Client);
        await client.MeetAsync(a);
        var (store, ofClient) = (new SecretStore(a.Membership), new SecretStore(client.Membership));
        store.Put("gossip.nomad", s_value);

        (await Expect.RefusalAsync(() => MeetAsync((client, ofClient), (a, store)))).Code.ShouldBe("peers/not-a-server-node");
        store.Part(["gossip.nomad"]).Single().Boxes.Keys.ShouldBe([a.Id]);
        Should.Throw<ProblemException>(() => ofClient.Put("x", s_value)).Problem.Code.ShouldBe("secrets/not-a-server-node");
        ofClient.Digest.ShouldBeNull();
        Directory.Exists(client.Paths.Secrets).ShouldBeFalse();

        // Nor does what it got hold of by other means open.
        ofClient.Merge(store.Part(["gossip.nomad"]), a.Id);
        ofClient.Open("gossip.nomad").ShouldBeNull();
    }

    [Fact]
    public async Task ANodeThatJoinsLaterIsGivenThemByAnyServerNode()
    {
        var (a, b, _) = await ThreeAsync();
        var (of, ofB) = (new SecretStore(a.Membership), new SecretStore(b.Membership));
        of.Put("gossip.nomad", s_value);
        await MeetAsync((b, ofB), (a, of));
        var late = _cluster.Joined(b);
        await late.MeetAsync(b);

        // The writer is not there.
        var ofLate = new SecretStore(late.Membership);
        await MeetAsync((late, ofLate), (b, ofB));

        ofLate.Open("gossip.nomad").ShouldBe(s_value);
    }

    [Fact]
    public async Task ARemovedNodeIsGivenNoNewVersion()
    {
        var (a, b, c) = await ThreeAsync();
        var (of, ofC) = (new SecretStore(a.Membership), new SecretStore(c.Membership));
        of.Put("gossip.nomad", s_value);
        await MeetAsync((c, ofC), (a, of));
        a.Membership.RemoveNode(c.Id);
        of.Put("gossip.nomad", Encoding.UTF8.GetBytes("another key"));

        (await Expect.RefusalAsync(() => MeetAsync((c, ofC), (a, of)))).Code.ShouldBe("peers/not-a-server-node");
        ofC.Merge(of.Part(["gossip.nomad"]), a.Id);

        ofC.Open("gossip.nomad").ShouldBeNull("no box of the new version is for it");
        of.Part(["gossip.nomad"]).Single().Boxes.Keys.ShouldBe([a.Id, b.Id], ignoreOrder: true);
    }

    [Fact]
    public async Task TheLastVersionWinsAndADeletionIsOne()
    {
        var (a, b, _) = await ThreeAsync();
        var (of, ofB) = (new SecretStore(a.Membership), new SecretStore(b.Membership));
        of.Put("x", s_value);
        await MeetAsync((b, ofB), (a, of));
        Should.Throw<ProblemException>(() => ofB.Put("x", s_value, ifVersion: 0)).Problem.Code.ShouldBe("secrets/changed");
        ofB.Put("x", [1, 2, 3], ifVersion: 1);
        await MeetAsync((a, of), (b, ofB));
        of.Open("x").ShouldBe([1, 2, 3]);

        of.Delete("x");
        await MeetAsync((a, of), (b, ofB));

        (ofB.Open("x"), ofB.Names.Count, ofB.Version("x")).ShouldBe((null, 0, 3));
        Directory.GetFiles(b.Paths.Secrets).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task WhatIsForgedOrMangledIsRefusedAndTheRestTaken()
    {
        var (a, b, _) = await ThreeAsync();
        var (of, ofB) = (new SecretStore(a.Membership), new SecretStore(b.Membership));
        of.Put("x", s_value);
        of.Put("y", s_value);
        var (x, y) = (of.Part(["x"]).Single(), of.Part(["y"]).Single());
        var forged = System.Text.Json.JsonDocument.Parse(x.Secret.GetRawText().Replace("\"version\":1", "\"version\":7", StringComparison.Ordinal)).RootElement;

        ofB.Merge([x with { Secret = forged }, null!, x with { Secret = default }, x with { Boxes = new Dictionary<string, SecretBox> { ["me"] = new("", []) } }, y], a.Id).ShouldBeTrue();

        ofB.Names.ShouldBe(["y"]);
        b.Membership.Refusals.Of(a.Id).ShouldBe(4);
    }

    [Fact]
    public async Task ADamagedFileIsPutAsideAndTheSecretComesBack()
    {
        var (a, b, _) = await ThreeAsync();
        var (of, ofB) = (new SecretStore(a.Membership), new SecretStore(b.Membership));
        of.Put("x", s_value);
        await MeetAsync((b, ofB), (a, of));
        var file = Path.Combine(b.Paths.Secrets, "x.json");
        File.WriteAllText(file, File.ReadAllText(file)[..50]);

        var again = new SecretStore(b.Membership);
        again.Open("x").ShouldBeNull();
        await MeetAsync((b, again), (a, of));

        again.Open("x").ShouldBe(s_value);
        File.Exists(file + ".damaged").ShouldBeTrue();
    }

    [Fact]
    public async Task ThreeNodesShareASecretOverThePeerPort()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await using var c = new TestNode("n3", "127.0.0.3");
        await b.EnterAsync(a);
        await c.EnterAsync(a);
        foreach (var node in new[] { a, b, c }) node.Membership.UpdateSelf(e => e);
        foreach (var node in new[] { a, b, c }) node.Run();

        b.Peering!.Secrets.Put("gossip.consul", s_value);

        await Expect.EventuallyAsync("all have it", TimeSpan.FromSeconds(10), () => new[] { a, b, c }.All(n => n.Peering!.Secrets.Open("gossip.consul")?.SequenceEqual(s_value) == true));
    }

    private async Task<(Member, Member, Member)> ThreeAsync()
    {
        var a = _cluster.First();
        var (b, c) = (_cluster.Joined(a), _cluster.Joined(a));
        await b.MeetAsync(a);
        await c.MeetAsync(a);
        await b.MeetAsync(a);
        return (a, b, c);
    }

    private static Task MeetAsync((Member Member, SecretStore Store) asking, (Member Member, SecretStore Store) asked)
    {
        var desk = new SecretDesk(asked.Member.Membership, asked.Store);
        asking.Store.Reseal();
        return new SecretDesk(asking.Member.Membership, asking.Store).ExchangeAsync(asked.Member.Id, request => Task.FromResult(desk.Answer(request, asking.Member.Id)));
    }
}
