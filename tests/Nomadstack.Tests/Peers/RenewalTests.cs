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
    private TestNode _server = null!, _client = null!;

    public async Task InitializeAsync()
    {
        _server = await TestNode.FirstAsync(time: _clock);
        _client = new TestNode("n2", "127.0.0.2", _clock);
        await ClientNodeTests.EnterAsync(_client, _server);
        await _client.Peering!.Sync.ExchangeAsync(_server.File.Id, CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task ACertificateThatEndedIsMadeAnewForTheSameKey()
    {
        _clock.Now += TimeSpan.FromDays(400);
        using (var pki = Pki.Load(_server.Paths, _server.File, _clock)) pki.IsDue(_server.File, _clock.Now).ShouldBeFalse("a server node signs its own");
        await _server.Peering!.DisposeAsync();
        await _server.OpenAsync();
        _client.Pki.Counts(_clock.Now).ShouldBeFalse();

        var given = await AskAsync(RenewalDesk.Ask(_client.Membership.Signer!, _client.Pki.Node.ExportCertificatePem()));
        _client.Pki.Renew(_client.Paths, given.Certificate, _clock.Now);

        using var again = Pki.Load(_client.Paths, _client.File, _clock);
        again.Counts(_clock.Now).ShouldBeTrue();
        again.KeyPin.ShouldBe(_client.Pki.KeyPin);
        again.IsDue(_client.File, _clock.Now).ShouldBeFalse();
    }

    [Fact]
    public async Task ARemovedNodeGetsNone()
    {
        var asked = RenewalDesk.Ask(_client.Membership.Signer!, _client.Pki.Node.ExportCertificatePem());
        _server.Membership.RemoveNode(_client.File.Id);

        (await Expect.RefusalAsync(() => AskAsync(asked))).Code.ShouldBe("peers/removed");
    }

    [Fact]
    public async Task AnotherNodesCertificateIsNotRenewed()
    {
        // Peers show theirs to everybody: it is no secret, and no proof.
        (await Expect.RefusalAsync(() => AskAsync(RenewalDesk.Ask(_client.Membership.Signer!, _server.Pki.Node.ExportCertificatePem())))).Code.ShouldBe("client/not-renewed");
    }

    [Fact]
    public async Task ASignatureOfSomethingElseIsRefused()
    {
        var asked = RenewalDesk.Ask(_client.Membership.Signer!, _client.Pki.Node.ExportCertificatePem());
        var forged = asked with { Signed = _client.Membership.Signer!.Sign(Signed.Setting, Encoding.UTF8.GetBytes(asked.Certificate)) };

        (await Expect.RefusalAsync(() => AskAsync(forged))).Code.ShouldBe("client/not-renewed");
    }

    [Fact]
    public async Task ANodeThatChangedItsNameGetsNone()
    {
        _client.Membership.UpdateSelf(self => self with { Name = "n1-server" });
        await _client.Peering!.Sync.ExchangeAsync(_server.File.Id, CancellationToken.None);

        (await Expect.RefusalAsync(() => AskAsync(RenewalDesk.Ask(_client.Membership.Signer!, _client.Pki.Node.ExportCertificatePem())))).Code.ShouldBe("client/other-name");
    }

    [Fact]
    public void ACertificateForAnotherKeyIsNotKept()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var foreign = _server.Pki.IssueFor(key.ExportSubjectPublicKeyInfo(), _client.Membership.Self!, _clock.Now);

        Should.Throw<Nomadstack.Cluster.ProblemException>(() => _client.Pki.Renew(_client.Paths, foreign.ExportCertificatePem(), _clock.Now)).Problem.Code.ShouldBe("client/bad-answer");
        X509Certificate2.CreateFromPem(PkiFiles.Read(PkiFiles.NodeCertificate(_client.Paths))).Thumbprint.ShouldBe(_client.Pki.Node.Thumbprint);
    }

    private Task<CertificateGiven> AskAsync(CertificateAsked asked) =>
        PeerClient.CertificateAsync(_client.Pki.Ca, _server.Membership.Self! with { Address = _server.File.Address }, asked, _clock, CancellationToken.None);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
