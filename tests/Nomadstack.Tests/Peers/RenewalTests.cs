// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

/// <summary>A client node cannot sign its own peer certificate, and asks for it with its key, also when the old one has ended.</summary>
public sealed class RenewalTests : IAsyncLifetime
{
    private readonly Clock _clock = new();
    private readonly List<TestNode> _nodes = [];

    private TestNode Server => _nodes[0];

    private TestNode Client => _nodes[1];

    public async Task InitializeAsync()
    {
        _nodes.Add(await TestNode.FirstAsync(time: _clock));
        _nodes.Add(new TestNode("n2", "127.0.0.2", _clock));
        await ClientNodeTests.EnterAsync(Client, Server);
        await Client.Peering!.Sync.ExchangeAsync(Server.File.Id, CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task ACertificateThatEndedIsMadeAnewForTheSameKey()
    {
        _clock.Now += TimeSpan.FromDays(400);
        using (var pki = Pki.Load(Server.Paths, Server.File, _clock)) pki.IsDue(Server.File, _clock.Now).ShouldBeFalse("a server node signs its own");
        await Server.Peering!.DisposeAsync();
        await Server.OpenAsync();
        Client.Pki.Counts(_clock.Now).ShouldBeFalse();

        var given = await AskAsync(RenewalDesk.Ask(Client.Membership.Signer!, Client.Pki.Node.ExportCertificatePem()));
        Client.Pki.Renew(Client.Paths, given.Certificate, _clock.Now);

        using var again = Pki.Load(Client.Paths, Client.File, _clock);
        again.Counts(_clock.Now).ShouldBeTrue();
        again.KeyPin.ShouldBe(Client.Pki.KeyPin);
        again.IsDue(Client.File, _clock.Now).ShouldBeFalse();
    }

    [Fact]
    public async Task ARemovedNodeGetsNone()
    {
        var asked = RenewalDesk.Ask(Client.Membership.Signer!, Client.Pki.Node.ExportCertificatePem());
        Server.Membership.RemoveNode(Client.File.Id);

        (await Expect.RefusalAsync(() => AskAsync(asked))).Code.ShouldBe("peers/removed");
    }

    [Fact]
    public async Task AnotherNodesCertificateIsNotRenewed()
    {
        // Peers show theirs to everybody: it is no secret, and no proof.
        (await Expect.RefusalAsync(() => AskAsync(RenewalDesk.Ask(Client.Membership.Signer!, Server.Pki.Node.ExportCertificatePem())))).Code.ShouldBe("client/not-renewed");
    }

    [Fact]
    public async Task ASignatureOfSomethingElseIsRefused()
    {
        var asked = RenewalDesk.Ask(Client.Membership.Signer!, Client.Pki.Node.ExportCertificatePem());
        var forged = asked with { Signed = Client.Membership.Signer!.Sign(Signed.Setting, Encoding.UTF8.GetBytes(asked.Certificate)) };

        (await Expect.RefusalAsync(() => AskAsync(forged))).Code.ShouldBe("client/not-renewed");
    }

    [Fact]
    public async Task ANodeThatChangedItsNameGetsNone()
    {
        Client.Membership.UpdateSelf(self => self with { Name = "n1-server" });
        await Client.Peering!.Sync.ExchangeAsync(Server.File.Id, CancellationToken.None);

        (await Expect.RefusalAsync(() => AskAsync(RenewalDesk.Ask(Client.Membership.Signer!, Client.Pki.Node.ExportCertificatePem())))).Code.ShouldBe("client/other-name");
    }

    [Fact]
    public void ACertificateForAnotherKeyIsNotKept()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var foreign = Server.Pki.IssueFor(key.ExportSubjectPublicKeyInfo(), Client.Membership.Self!, _clock.Now);

        Should.Throw<Nomadstack.Cluster.ProblemException>(() => Client.Pki.Renew(Client.Paths, foreign.ExportCertificatePem(), _clock.Now)).Problem.Code.ShouldBe("client/bad-answer");
        X509Certificate2.CreateFromPem(PkiFiles.Read(PkiFiles.NodeCertificate(Client.Paths))).Thumbprint.ShouldBe(Client.Pki.Node.Thumbprint);
    }

    private Task<CertificateGiven> AskAsync(CertificateAsked asked) =>
        PeerClient.CertificateAsync(Client.Pki.Ca, Server.Membership.Self! with { Address = Server.File.Address }, asked, _clock, CancellationToken.None);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
