// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>A node that was let in with a client's token: what it is, what it has, and what it may not do.</summary>
public sealed class ClientNodeTests
{
    [Fact]
    public async Task TheTokenSaysTheKindAndTheMemberThatAdmitsCertifiesIt()
    {
        await using var a = await TestNode.FirstAsync();
        await using var c = new TestNode("n2", "127.0.0.2");
        await EnterAsync(c, a);

        c.Membership.IsClientNode.ShouldBeTrue();
        c.Membership.Self!.Kind.ShouldBe(NodeKind.Client);
        a.Membership.Current!.Nodes[c.File.Id].Kind.ShouldBe(NodeKind.Client);
        await c.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        a.Membership.Current!.Nodes[c.File.Id].Signed!.ShouldSatisfyAllConditions(s => s.By.ShouldBe(c.File.Id), s => s.Kind.ShouldBe(NodeKind.Client));
    }

    [Fact]
    public async Task ItsDiskHasNoKeyOfTheCluster()
    {
        await using var a = await TestNode.FirstAsync();
        await using var c = new TestNode("n2", "127.0.0.2");
        await EnterAsync(c, a);

        using var key = Pki.ParseKey(PkiFiles.CaKey(a.Paths));
        DiskSearch.For(c.Folder, ("the CA's key", key.ExportPkcs8PrivateKeyPem())).ShouldBeEmpty();
        DiskSearch.For(a.Folder, ("the CA's key", key.ExportPkcs8PrivateKeyPem())).ShouldNotBeEmpty("or the search finds nothing anywhere");
        c.Pki.CanSign.ShouldBeFalse();
    }

    [Fact]
    public async Task AJoinerCannotChooseItsKind()
    {
        await using var a = await TestNode.FirstAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = a.Membership.CreateToken(null, client: true);
        var entry = JsonDocument.Parse("""{"id":"11111111-2222-3333-4444-555555555555","name":"n2","address":"127.0.0.2","kind":"server"}""").RootElement;

        var answer = await Desk(a).AnswerAsync(new JoinRequest(token.Id, token.Secret, key.ExportSubjectPublicKeyInfo(), entry, a.Time.GetUtcNow(), Signs: true), CancellationToken.None);

        answer.Kind.ShouldBe(NodeKind.Client);
        answer.CaKey.ShouldBeNull();
        a.Membership.Current!.Nodes["11111111-2222-3333-4444-555555555555"].Kind.ShouldBe(NodeKind.Client);
    }

    [Fact]
    public async Task ATokenWithoutAKindLetsInServerNodes()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");

        await b.EnterAsync(a);

        b.Membership.IsClientNode.ShouldBeFalse();
        b.Pki.CanSign.ShouldBeTrue();
    }

    [Fact]
    public async Task AKindOfANewerReleaseLetsNobodyIn()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        var token = JoinToken.Mint(a.Pki.CaPin);
        a.Membership.AddToken(new TokenEntry { Id = token.Id, SecretHash = token.SecretHash, CreatedAt = a.Time.GetUtcNow(), Kind = "witness" });

        (await Expect.RefusalAsync(() => b.JoinAsync(a.At, token.Reveal()))).Code.ShouldBe("join/unknown-kind");
    }

    [Fact]
    public async Task NobodyJoinsThroughAClientNodeWhichNamesAServerNode()
    {
        await using var a = await TestNode.FirstAsync();
        await using var c = new TestNode("n2", "127.0.0.2");
        await using var d = new TestNode("n3", "127.0.0.3");
        await EnterAsync(c, a);
        var token = a.Token();
        await c.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);

        var problem = await Expect.RefusalAsync(() => d.JoinAsync(c.At, token));

        problem.Code.ShouldBe("join/asked-client-node");
        problem.Fix.ShouldContain($"n1 ({a.At})");
    }

    [Fact]
    public async Task AServerNodesFolderDoesNotBecomeAClientNodes()
    {
        await using var a = await TestNode.FirstAsync();
        await using var b = new TestNode("n2", "127.0.0.2");
        await b.EnterAsync(a);
        a.Membership.RemoveNode(b.File.Id);
        b.Membership.AcceptRemoval();

        var problem = await Expect.RefusalAsync(() => b.JoinAsync(a.At, ClientToken(a)));

        problem.Code.ShouldBe("join/other-kind");
        problem.Why.ShouldContain("keys");
    }

    [Fact]
    public async Task AClientNodeIsNotPromotedByASecondToken()
    {
        await using var a = await TestNode.FirstAsync();
        await using var c = new TestNode("n2", "127.0.0.2");
        await EnterAsync(c, a);
        await using var again = new TestNode("n2", file: c.File);
        Directory.CreateDirectory(again.Paths.Pki);
        File.Copy(PkiFiles.NodeKey(c.Paths), PkiFiles.NodeKey(again.Paths));

        (await Expect.RefusalAsync(() => again.JoinAsync(a.At, a.Token()))).Code.ShouldBe("join/other-kind");
    }

    [Fact]
    public async Task AnAgentOfTheFirstReleaseIsNotLetInBesideClientNodes()
    {
        await using var a = await TestNode.FirstAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (client, server) = (a.Membership.CreateToken(null, client: true), a.Membership.CreateToken(null));
        var entry = JsonDocument.Parse("""{"id":"11111111-2222-3333-4444-555555555555","name":"n2","address":"127.0.0.2"}""").RootElement;

        foreach (var token in new[] { client, server })
            (await Expect.RefusalAsync(() => Desk(a).AnswerAsync(new JoinRequest(token.Id, token.Secret, key.ExportSubjectPublicKeyInfo(), entry, a.Time.GetUtcNow()), CancellationToken.None))).Code.ShouldBe("join/client-older");
        a.Membership.RevokeToken(client.Id);
        (await Desk(a).AnswerAsync(new JoinRequest(server.Id, server.Secret, key.ExportSubjectPublicKeyInfo(), entry, a.Time.GetUtcNow()), CancellationToken.None)).CaKey.ShouldNotBeNull();
    }

    [Fact]
    public async Task ItsNameIsOneThatACertificateCanHold()
    {
        await using var a = await TestNode.FirstAsync();
        await using var c = new TestNode("the printer", "127.0.0.2");

        (await Expect.RefusalAsync(() => c.JoinAsync(a.At, ClientToken(a)))).Code.ShouldBe("join/client-name");
    }

    [Fact]
    public async Task ItMakesNoTokenAndForgetsNobodyForOthers()
    {
        var time = new MovableTime();
        await using var a = await TestNode.FirstAsync(time: time);
        await using var c = new TestNode("n2", "127.0.0.2", time);
        await EnterAsync(c, a);
        a.Membership.Admit(_ => new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "never-came", Address = "127.0.0.9", AdmittedAt = time.GetUtcNow(), Kind = NodeKind.Server });
        await c.Peering!.Sync.ExchangeAsync(a.File.Id, CancellationToken.None);
        time.Now += TimeSpan.FromHours(2);

        Should.Throw<ProblemException>(() => c.Membership.CreateToken(null)).Problem.Code.ShouldBe("token/client-node");
        c.Membership.Prune();

        c.Membership.Current!.Nodes.Values.Single(n => n.Name == "never-came").Removed.ShouldBeFalse("nobody would believe it");
    }

    internal static string ClientToken(TestNode member) => member.Membership.CreateToken(null, client: true).Reveal();

    internal static async Task EnterAsync(TestNode node, TestNode member)
    {
        await node.JoinAsync(member.At, ClientToken(member));
        await node.OpenAsync();
        node.Membership.UpdateSelf(self => self);
    }

    private static JoinDesk Desk(TestNode node) => new(node.Membership, node.Pki, node.Peering!.Client, node.Peering.Health, node.Time);

    private sealed class MovableTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
