// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Security;
using Nomadstack.Tests.Peers;
using Nomadstack.Tests.Room;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

/// <summary>What a server node answers on its peer port when a node asks for credentials: over real TLS, with products in memory.</summary>
public sealed class ClientDeskTests : IAsyncLifetime
{
    private readonly FakeRoom _room = new();
    private readonly Clock _clock = new();
    private readonly List<TestNode> _nodes = [];
    private NodeContext _context = null!;

    private TestNode Server => _nodes[0];

    private TestNode Client => _nodes[1];

    public async Task InitializeAsync()
    {
        _nodes.Add(await TestNode.FirstAsync(time: _clock, before: node =>
        {
            _context = Context(node);
            _context.Trust.Mint(secure: true);
            node.ForClients = (new ClientDesk(_context, Products("n1")), _context.Trust.Secrets);
        }));
        foreach (var role in Role.All)
        {
            var site = ServerSite.Job(Role.Row(role), Server.File, Server.Paths, Guid.NewGuid().ToString());
            _room.Raft(role).Enter(site).Runs = true;
            Server.Membership.UpdateSelf(self => self with { Servers = [.. self.Servers, site.ToEntry("running")] });
        }

        _nodes.Add(new TestNode("n2", "127.0.0.2", _clock));
        await ClientNodeTests.EnterAsync(Client, Server);
        await Client.Peering!.Sync.ExchangeAsync(Server.File.Id, CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task ItGetsACertificateWithAClientsNameAndItsOwnAddressAlone()
    {
        var trust = await GivenAsync();

        foreach (var role in Role.All)
        {
            var certificate = trust.Of(Role.Row(role))!.Certificate;
            var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
            names.EnumerateDnsNames().ShouldBe([Role.Row(role).CertificateName(ProductPort.Client)!, "localhost"]);
            names.EnumerateIPAddresses().Select(a => a.ToString()).ShouldBe(["127.0.0.1", "127.0.0.2"]);
            certificate.MatchesHostname(Role.Row(role).CertificateName(ProductPort.Server)!).ShouldBeFalse("a stolen client node must not pass for a server");
            Certificates.Complaint(certificate, _context.Trust.Of(Role.Row(role))!.Ca[0], _clock.GetUtcNow()).ShouldBeNull();
        }
    }

    [Fact]
    public async Task ItGetsTheGossipKeyOfProductsWhoseClientsGossipAndNoOther()
    {
        var trust = await GivenAsync();

        trust.Gossip(Role.Row(Role.Consul)).ShouldBe(_context.Trust.Gossip(Role.Row(Role.Consul)));
        trust.Gossip(Role.Row(Role.Nomad)).ShouldBeNull();
    }

    [Fact]
    public async Task ItsDiskHasNoSecretThatOnlyServerNodesMayHave()
    {
        await GivenAsync();
        var allowed = SecretNames.Gossip(Role.Consul);
        var secrets = _context.Trust.Secrets.Names.Where(n => n != allowed).Select(n => (n, Encoding.UTF8.GetString(_context.Trust.Secrets.Open(n)!)))
            .Append(("the CA's key", PkiFiles.Read(PkiFiles.CaKey(Server.Paths))!)).ToList();

        secrets.Count.ShouldBe(9, "keys of two authorities and the CA, Nomad's gossip key, two management tokens and three of agents");
        DiskSearch.For(Client.Folder, secrets).ShouldBeEmpty();
        DiskSearch.For(Client.Folder, (allowed, _context.Trust.Gossip(Role.Row(Role.Consul))!)).ShouldNotBeEmpty("that one it has, and the search finds it");
    }

    [Fact]
    public async Task WhatItGotIsForItsOwnersEyesAlone()
    {
        await GivenAsync();

        foreach (var file in Directory.GetFiles(Path.Combine(Client.Paths.Pki, Role.Consul))) File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, file);
    }

    [Fact]
    public async Task TheSameNodeHasTheSameTokensHoweverOftenItAsks()
    {
        var first = await GivenAsync();
        _clock.Now += TimeSpan.FromMinutes(1);
        var second = await GivenAsync();

        second.OwnToken(Role.Row(Role.Nomad)).ShouldBe(first.OwnToken(Role.Row(Role.Nomad)));
        _room.NodeTokens.Count.ShouldBe(2);
    }

    [Fact]
    public async Task AServerNodeIsToldToMakeItsOwn()
    {
        await using var other = new TestNode("n3", "127.0.0.3", _clock);
        await other.EnterAsync(Server);

        (await RefusedAsync(other)).Code.ShouldBe("client/is-server");
    }

    [Fact]
    public async Task ARemovedNodeGetsNothing()
    {
        Server.Membership.RemoveNode(Client.File.Id);

        (await RefusedAsync(Client)).Code.ShouldBe("peers/removed");
        _room.NodeTokens.ShouldBeEmpty();
    }

    [Fact]
    public async Task ANodeThatCallsItselfAnotherGetsNothing()
    {
        // As a thief with the node's key would: signed rightly, and a lie.
        Client.Membership.UpdateSelf(self => self with { Name = "n1-server" });
        await Client.Peering!.Sync.ExchangeAsync(Server.File.Id, CancellationToken.None);
        Server.Membership.Current!.Nodes[Client.File.Id].Name.ShouldBe("n1-server");

        (await RefusedAsync(Client)).Code.ShouldBe("client/other-name");
    }

    [Fact]
    public async Task AnAddressThatIsAnothersIsNotCertified()
    {
        Client.Membership.UpdateSelf(self => self with { Address = Server.File.Address });
        await Client.Peering!.Sync.ExchangeAsync(Server.File.Id, CancellationToken.None);

        var trust = await GivenAsync();

        trust.Of(Role.Row(Role.Nomad))!.Certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateIPAddresses().Select(a => a.ToString()).ShouldBe(["127.0.0.1"]);
    }

    [Fact]
    public async Task NobodyAsksTooOften()
    {
        await GivenAsync();

        (await RefusedAsync(Client)).Code.ShouldBe("client/too-often");
        _clock.Now += TimeSpan.FromSeconds(2);
        await GivenAsync();
    }

    [Fact]
    public async Task WithoutALeaderItIsToldToWait()
    {
        _room.Raft(Role.Nomad).Servers[0].Runs = false;

        var problem = await RefusedAsync(Client);

        problem.Code.ShouldBe("client/no-tokens");
        problem.Why.ShouldContain("leader");
    }

    [Fact]
    public async Task AClientNodeGivesNobodyAnything()
    {
        var desk = new ClientDesk(Context(Client), Products("n2"));
        using var shown = X509Certificate2.CreateFromPem(PkiFiles.Read(PkiFiles.NodeCertificate(Client.Paths)));

        (await Expect.RefusalAsync(() => desk.GiveAsync(Client.Membership.Self!, shown, new(new Dictionary<string, byte[]>()), CancellationToken.None))).Code.ShouldBe("client/asked-client-node");
    }

    [Fact]
    public async Task AKeyThatIsNoneIsRefused()
    {
        var problem = await Expect.RefusalAsync(() => Client.Peering!.Client.CredentialsAsync(Server.File.Id, new(new Dictionary<string, byte[]> { [Role.Nomad] = [1, 2, 3] }), CancellationToken.None));

        problem.Code.ShouldBe("join/bad-request");
    }

    [Fact]
    public async Task ARequestWithoutACertificateIsRefused()
    {
        using var http = PeerProbe.Client(() => { }, _ => true);
        using var response = await http.PostAsync(new Uri($"https://{Server.At}/v1/client/credentials"), new ByteArrayContent("{}"u8.ToArray()));

        ((int)response.StatusCode).ShouldBe(401);
    }

    [Fact]
    public async Task AProofIsAWriteThatTheServerNodeMakes()
    {
        var proof = await Client.Peering!.Client.ProofAsync(Server.File.Id, new(Server.File.Id), CancellationToken.None);

        proof.Leads.ShouldBeTrue();
        _room.Barriers.ShouldBe(1);
        _room.Raft(Role.Nomad).Servers[0].Runs = false;
        _clock.Now += TimeSpan.FromSeconds(1);
        (await Client.Peering.Client.ProofAsync(Server.File.Id, new(Server.File.Id), CancellationToken.None)).Leads.ShouldBeFalse();
    }

    [Theory]
    [InlineData("N1", "client/name-taken")]
    [InlineData("n1-server", "client/name-taken")]
    [InlineData("n1-bootstrap", "client/name-taken")]
    [InlineData("n7", null)]
    public void ANameThatAnotherIsKnownByGetsNothing(string name, string? code)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var node = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = name, Address = "127.0.0.9", Kind = NodeKind.Client };
        using var shown = Server.Pki.IssueFor(key.ExportSubjectPublicKeyInfo(), node, _clock.GetUtcNow());

        ClientRules.Complaint(Server.Membership.Current!, node, shown)?.Code.ShouldBe(code);
        (ClientRules.Complaint(Server.Membership.Current!, node, shown) is null).ShouldBe(code is null);
    }

    /// <summary>Asks as the agent does, and keeps what comes.</summary>
    private async Task<ClusterTrust> GivenAsync()
    {
        var context = Context(Client);
        var given = await Client.Peering!.Client.CredentialsAsync(Server.File.Id, context.Trust.Ask(context.Products), CancellationToken.None);
        foreach (var product in context.Products) context.Trust.Take(product, given.Products[product.Name]);
        context.Trust.Lacks().ShouldBeNull();
        return context.Trust;
    }

    private Task<Problem> RefusedAsync(TestNode node)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CredentialsAsked(Role.All.ToDictionary(r => r, _ => key.ExportSubjectPublicKeyInfo()));
        return Expect.RefusalAsync(() => node.Peering!.Client.CredentialsAsync(Server.File.Id, asked, CancellationToken.None));
    }

    private Dictionary<string, IProduct> Products(string node) => Role.All.ToDictionary(r => r, r => (IProduct)new RoomProduct(Role.Row(r), _room, node));

    private NodeContext Context(TestNode node) => new(node.File, node.Paths, node.Membership, ProductTable.Known, _clock, NullLoggerFactory.Instance);

    /// <summary>The hour is the test's; waits take their time.</summary>
    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.UtcTicks;
    }
}
