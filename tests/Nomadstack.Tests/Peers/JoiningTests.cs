// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using System.Text;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class JoiningTests
{
    [Fact]
    public async Task ANodeJoinsAndAnotherJoinsThroughIt()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        await using var third = new TestNode("n3", "127.0.0.3");
        var token = first.Token();

        (await second.JoinAsync(first.At, token)).AlreadyMember.ShouldBeFalse();
        await second.OpenAsync();
        await second.Peering!.Sync.ExchangeAsync(first.File.Id, CancellationToken.None);
        await first.Peering!.DisposeAsync();
        await third.JoinAsync(second.At, token);

        third.Membership.Current!.Nodes.Keys.ShouldBe([first.File.Id, second.File.Id, third.File.Id], ignoreOrder: true);
        using var pki = Pki.Load(third.Paths, third.File, third.Time);
        pki.CaPin.ShouldBe(first.Pki.CaPin);
        third.Membership.Self!.KeyPin.ShouldBe(pki.KeyPin);
    }

    [Fact]
    public async Task JoiningAgainIsNoError()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        var token = first.Token();
        await second.JoinAsync(first.At, token);

        (await second.JoinAsync(first.At, token)).AlreadyMember.ShouldBeTrue();
    }

    [Fact]
    public async Task AJoinCutOffAnywhereIsRepeatedWithTheSameEnd()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        var token = first.Token();
        await second.JoinAsync(first.At, token);
        var held = first.Membership.Current!.Nodes[second.File.Id];

        // As if killed before cluster.json, then before pki was whole.
        foreach (var lost in new[] { second.Paths.ClusterFile, PkiFiles.NodeCertificate(second.Paths), PkiFiles.CaCertificate(second.Paths) })
        {
            File.Delete(lost);
            File.Delete(second.Paths.ClusterFile);
            var again = new Membership(second.Paths, second.File, second.Time);
            again.Load();
            await Joining.JoinAsync(first.At, token, again, second.Paths, "0.1.0", second.Time, CancellationToken.None);
            again.Self!.KeyPin.ShouldBe(held.KeyPin);
        }

        first.Membership.Current!.Nodes[second.File.Id].Incarnation.ShouldBe(held.Incarnation);
    }

    [Theory]
    [InlineData("ports", """{"peers":99999999}""", "ports.peers is 99999999")]
    [InlineData("ports", "null", "ports is not an object")]
    [InlineData("id", "\"{11111111-2222-3333-4444-555555555555}\"", "id is not a UUID")]
    [InlineData("servers", "[null]", "servers[0]")]
    [InlineData("incarnation", "9223372036854775807", "incarnation")]
    public async Task ABadEntryInAJoinRequestIsRefusedByFieldAndChangesNothing(string field, string json, string why)
    {
        await using var first = await TestNode.FirstAsync();
        var token = JoinToken.Parse(first.Token());
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var entry = System.Text.Json.Nodes.JsonNode.Parse("""{"id":"11111111-2222-3333-4444-555555555555","name":"n2","address":"127.0.0.2"}""")!;
        entry[field] = System.Text.Json.Nodes.JsonNode.Parse(json);
        var before = File.ReadAllText(first.Paths.ClusterFile);
        var desk = new JoinDesk(first.Membership, first.Pki, first.Peering!.Client, first.Peering.Health, first.Time);

        var problem = await Expect.RefusalAsync(() => desk.AnswerAsync(new JoinRequest(token.Id, token.Secret, key.ExportSubjectPublicKeyInfo(), System.Text.Json.JsonDocument.Parse(entry.ToJsonString()).RootElement, first.Time.GetUtcNow()), CancellationToken.None));

        problem.Code.ShouldBe("join/bad-request");
        problem.Why.ShouldContain(why);
        File.ReadAllText(first.Paths.ClusterFile).ShouldBe(before);
    }

    [Fact]
    public Task AnUnknownTokenIsRefused() => RefusedAsync("join/unknown-token", (first, _) => (first.At, JoinToken.Mint(first.Pki.CaPin).Reveal()));

    [Fact]
    public Task AWrongSecretIsRefused() => RefusedAsync("join/wrong-secret", (first, _) =>
        (first.At, (JoinToken.Parse(first.Token()) with { Secret = new string('0', 32) }).Reveal()));

    [Fact]
    public Task AnExpiredTokenIsRefused() => RefusedAsync("join/expired", (first, _) => (first.At, first.Token(TimeSpan.FromSeconds(-1))));

    [Fact]
    public Task ARevokedTokenIsRefused() => RefusedAsync("join/revoked", (first, _) =>
    {
        var token = JoinToken.Parse(first.Token());
        first.Membership.RevokeToken(token.Id);
        return (first.At, token.Reveal());
    });

    [Fact]
    public Task AMalformedTokenIsRefused() => RefusedAsync("join/malformed-token", (first, _) => (first.At, "K1nonsense"));

    [Fact]
    public Task ATokenOfAnotherClusterIsRefused() => RefusedAsync("join/wrong-ca", (first, _) => (first.At, JoinToken.Mint(new string('a', 64)).Reveal()));

    [Fact]
    public Task ANameThatIsTakenIsRefused() => RefusedAsync("join/duplicate-name", (first, _) => (first.At, first.Token()), name: "N1");

    [Fact]
    public async Task AnAddressThatIsTakenIsRefused()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2");
        var twin = second.File with { Ports = first.File.Ports };
        await using var joining = new TestNode("n2", folder: second.Folder, file: twin);

        (await Expect.RefusalAsync(() => joining.JoinAsync(first.At, first.Token()))).Code.ShouldBe("join/address-in-use");
        ShouldBeUntouched(joining);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(-10)]
    public Task AWrongClockIsRefused(int minutes) => RefusedAsync("join/clock-skew", (first, _) => (first.At, first.Token()), time: new ShiftedTime(TimeSpan.FromMinutes(minutes)));

    [Fact]
    public Task AnAddressWhereNobodyListensIsRefused() => RefusedAsync("join/unreachable", (first, _) => (first.At with { Port = TestNode.FreePort("127.0.0.1") }, first.Token()));

    [Fact]
    public async Task SomethingElseThanAnAgentIsRefused()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var talks = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("SSH-2.0-something\r\n"));
        });

        var at = new JoinAddress("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        (await Expect.RefusalAsync(() => second.JoinAsync(at, first.Token()))).Code.ShouldBe("join/not-an-agent");
        await talks;
        ShouldBeUntouched(second);
    }

    [Fact]
    public async Task SomethingThatStaysSilentIsRefusedInTime()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        var at = new JoinAddress("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        (await Expect.RefusalAsync(() => second.JoinAsync(at, first.Token()))).Code.ShouldBe("join/no-answer");
    }

    [Fact]
    public async Task AMemberOfAnotherClusterIsRefused()
    {
        await using var first = await TestNode.FirstAsync();
        await using var other = await TestNode.FirstAsync("n2", "127.0.0.2");
        var before = File.ReadAllText(other.Paths.ClusterFile);

        (await Expect.RefusalAsync(() => other.JoinAsync(first.At, first.Token()))).Code.ShouldBe("join/wrong-cluster");
        File.ReadAllText(other.Paths.ClusterFile).ShouldBe(before);
    }

    [Fact]
    public async Task ACopyWithAnotherKeyIsRefused()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        await second.JoinAsync(first.At, first.Token());
        await using var clone = new TestNode("n3", file: second.File with { Address = "127.0.0.3" });

        var problem = await Expect.RefusalAsync(() => clone.JoinAsync(first.At, first.Token()));

        problem.Code.ShouldBe("join/cloned");
        problem.Unsafe.ShouldBeTrue();
        ShouldBeUntouched(clone);
        first.Membership.Current!.Nodes[second.File.Id].Address.ShouldBe("127.0.0.2");
    }

    [Fact]
    public async Task ACopyWithTheSameKeyIsRefusedWhileTheOriginalAnswers()
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode("n2", "127.0.0.2");
        await second.EnterAsync(first);
        await using var clone = new TestNode("n2", file: second.File with { Address = "127.0.0.3" });
        Directory.CreateDirectory(clone.Paths.Pki);
        File.Copy(PkiFiles.NodeKey(second.Paths), PkiFiles.NodeKey(clone.Paths));

        (await Expect.RefusalAsync(() => clone.JoinAsync(first.At, first.Token()))).Code.ShouldBe("join/cloned");
        first.Membership.Current!.Nodes[second.File.Id].Address.ShouldBe("127.0.0.2");
    }

    [Fact]
    public async Task ACopyOfTheNodeThatIsAskedIsRefused()
    {
        await using var first = await TestNode.FirstAsync();
        await using var clone = new TestNode("n9", file: first.File with { Name = "n9", Address = "127.0.0.3" });

        (await Expect.RefusalAsync(() => clone.JoinAsync(first.At, first.Token()))).Code.ShouldBe("join/cloned");
    }

    [Fact]
    public async Task AManInTheMiddleWithACaOfHisOwnNeverHearsTheSecret()
    {
        await using var first = await TestNode.FirstAsync();
        await using var middle = await SecretCatcher.StartAsync(caShown: null);
        await using var second = new TestNode("n2", "127.0.0.2");

        (await Expect.RefusalAsync(() => second.JoinAsync(middle.At, first.Token()))).Code.ShouldBe("join/wrong-ca");

        middle.Heard.ShouldBe(["/v1/ping"]);
        ShouldBeUntouched(second);
    }

    [Fact]
    public async Task AManInTheMiddleWhoShowsTheRightCaNeverHearsTheSecret()
    {
        await using var first = await TestNode.FirstAsync();
        await using var middle = await SecretCatcher.StartAsync(first.Pki.Ca.ExportCertificatePem());
        await using var second = new TestNode("n2", "127.0.0.2");

        (await Expect.RefusalAsync(() => second.JoinAsync(middle.At, first.Token()))).Code.ShouldBe("join/wrong-ca");

        middle.Heard.ShouldBe(["/v1/ping"]);
        ShouldBeUntouched(second);
    }

    private static async Task RefusedAsync(string code, Func<TestNode, TestNode, (JoinAddress At, string Token)> arrange, string name = "n2", TimeProvider? time = null)
    {
        await using var first = await TestNode.FirstAsync();
        await using var second = new TestNode(name, "127.0.0.2", time);
        var (at, token) = arrange(first, second);
        var before = File.ReadAllText(first.Paths.ClusterFile);

        var problem = await Expect.RefusalAsync(() => second.JoinAsync(at, token));

        problem.Code.ShouldBe(code);
        File.ReadAllText(first.Paths.ClusterFile).ShouldBe(before);
        ShouldBeUntouched(second);
    }

    private static void ShouldBeUntouched(TestNode node)
    {
        node.Membership.Current.ShouldBeNull();
        File.Exists(node.Paths.ClusterFile).ShouldBeFalse();
        if (Directory.Exists(node.Paths.Pki)) Directory.GetFiles(node.Paths.Pki).ShouldBeEmpty();
    }
}
