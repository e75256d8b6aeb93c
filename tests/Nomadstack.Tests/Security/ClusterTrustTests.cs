// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Security;

/// <summary>What closes a cluster, made once and handed to every server node.</summary>
public sealed class ClusterTrustTests : IDisposable
{
    private static readonly Product s_nomad = Role.Row(Role.Nomad), s_consul = Role.Row(Role.Consul);

    private readonly Members _cluster = new();
    private readonly Clock _clock = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void AnOpenClusterHasNoCredentialsAndNoTokens()
    {
        var trust = Trust(_cluster.First(), out _);

        trust.Mint(secure: false);

        trust.IsDecided.ShouldBeTrue();
        trust.Of(s_nomad).ShouldBeNull();
        trust.Gossip(s_nomad).ShouldBeNull();
        trust.Token(s_nomad, SecretNames.Management).ShouldBeNull();
        trust.Lacks().ShouldBeNull();
    }

    [Fact]
    public void AClusterOfTheFirstReleaseIsOpenAndNotDecided()
    {
        var trust = Trust(_cluster.First(), out _);

        trust.IsDecided.ShouldBeFalse();
        trust.IsSecure.ShouldBeFalse();
    }

    [Fact]
    public void WhatWasMadeIsNotMadeAgain()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        var (authority, token, gossip) = (member.Membership.Settings!.Text(SettingNames.Ca("nomad")), trust.Token(s_nomad, SecretNames.Management), trust.Gossip(s_consul));

        Trust(member, out _).Mint(secure: true);

        member.Membership.Settings!.Text(SettingNames.Ca("nomad")).ShouldBe(authority);
        trust.Token(s_nomad, SecretNames.Management).ShouldBe(token);
        trust.Gossip(s_consul).ShouldBe(gossip);
    }

    /// <summary>The phase is said last, so an agent that died in between makes the rest.</summary>
    [Fact]
    public void AnInterruptedMakingGoesOn()
    {
        var member = _cluster.First();
        var trust = Trust(member, out var secrets);
        trust.Mint(secure: true);
        member.Membership.Unset(SettingNames.SecurityPhase);
        secrets.Delete(SecretNames.Token("consul", ProductTokens.Catalog));

        Trust(member, out secrets).Mint(secure: true);

        trust.IsSecure.ShouldBeTrue();
        trust.Lacks().ShouldBeNull();
    }

    [Fact]
    public void ACertificateNamesServersClientsAndTheNodesAddressAndNothingElse()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);

        var certificate = trust.Of(s_nomad)!.Certificate;

        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        names.EnumerateDnsNames().ShouldBe(["server.global.nomad", "client.global.nomad", "localhost"]);
        names.EnumerateIPAddresses().Select(a => a.ToString()).ShouldBe(["127.0.0.1", member.File.Address]);
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Count.ShouldBe(2, "a server dials other servers");
        certificate.GetECDsaPublicKey().ShouldNotBeNull("Nomad refuses Ed25519");
    }

    [Fact]
    public void TheCertificateOfOneProductOpensNoOther()
    {
        var trust = Trust(_cluster.First(), out _);
        trust.Mint(secure: true);

        Certificates.Complaint(trust.Of(s_consul)!.Certificate, trust.Of(s_nomad)!.Ca[0], _clock.GetUtcNow()).ShouldNotBeNull();
        Certificates.Complaint(trust.Of(s_nomad)!.Certificate, trust.Of(s_nomad)!.Ca[0], _clock.GetUtcNow()).ShouldBeNull();
    }

    [Fact]
    public void ACertificateIsRenewedWhenAThirdOfItIsLeftAndWithTheSameKey()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        var first = trust.Of(s_nomad)!.Certificate;
        foreach (var (product, _) in trust.Renew()) trust.Reloaded(product);

        _clock.Now += TimeSpan.FromDays(19);
        trust.Renew().ShouldBeEmpty();
        _clock.Now += TimeSpan.FromDays(2);

        trust.Renew().Select(r => r.Product).ShouldBe([s_consul, s_nomad], ignoreOrder: true);
        trust.Of(s_nomad)!.Certificate.NotAfter.ShouldBeGreaterThan(first.NotAfter);
        Certificates.Pin(trust.Of(s_nomad)!.Certificate).ShouldBe(Certificates.Pin(first));
    }

    [Fact]
    public void AnAgentThatDiedBeforeItsProcessesReadTheNewFilesLeavesThatToTheNext()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        trust.Renew().ShouldNotBeEmpty();

        Trust(member, out _).Renew().Select(r => r.Product).ShouldBe([s_consul, s_nomad], ignoreOrder: true);

        trust.Reloaded(s_nomad);
        Trust(member, out _).Renew().Select(r => r.Product).ShouldBe([s_consul]);
    }

    /// <summary>No peer is asked: the secrets are on this disk.</summary>
    [Fact]
    public void ANodeThatWasOffForLongerThanItsCertificateComesBackAlone()
    {
        var member = _cluster.First();
        Trust(member, out _).Mint(secure: true);
        _clock.Now += TimeSpan.FromDays(400);

        var trust = Trust(member, out _);

        Certificates.Complaint(trust.Of(s_nomad)!.Certificate, trust.Of(s_nomad)!.Ca[0], _clock.GetUtcNow()).ShouldBeNull();
    }

    [Theory]
    [InlineData("node.pem", "half a certif")]
    [InlineData("node.pem", "")]
    [InlineData("ca.pem", "")]
    public void ADamagedFileIsMadeAgain(string file, string content)
    {
        var member = _cluster.First();
        Trust(member, out _).Mint(secure: true);
        Trust(member, out _).Of(s_nomad).ShouldNotBeNull();
        File.WriteAllText(Path.Combine(member.Paths.Pki, "nomad", file), content);

        var credentials = Trust(member, out _).Of(s_nomad)!;

        Certificates.Complaint(X509Certificate2.CreateFromPem(File.ReadAllText(credentials.CertificateFile)), X509Certificate2.CreateFromPem(File.ReadAllText(credentials.CaFile)), _clock.GetUtcNow()).ShouldBeNull();
    }

    [Fact]
    public void ANodeAtANewAddressGetsACertificateForIt()
    {
        var member = _cluster.First();
        Trust(member, out var secrets).Mint(secure: true);
        Trust(member, out _).Of(s_nomad).ShouldNotBeNull();

        var moved = CredentialFiles.Ensure(member.Paths, member.File with { Address = "10.9.9.9" }, s_nomad, member.Membership.Settings!.Text(SettingNames.Ca("nomad"))!, () => System.Text.Encoding.UTF8.GetString(secrets.Open(SecretNames.CaKey("nomad"))!), _clock.GetUtcNow());

        moved!.Certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateIPAddresses().Select(a => a.ToString()).ShouldContain("10.9.9.9");
    }

    [Fact]
    public void ANodeThatHasNotGotTheSecretsYetSaysWhatItLacks()
    {
        var a = _cluster.First();
        Trust(a, out _).Mint(secure: true);
        var b = _cluster.Joined(a);
        var trust = Trust(b, out _);

        trust.IsSecure.ShouldBeTrue();
        trust.Lacks().ShouldBe(s_consul);
        trust.Find(s_nomad).ShouldBeNull();
        Should.Throw<ProblemException>(() => trust.Of(s_nomad)).Problem.Code.ShouldBe("security/no-credentials");
    }

    [Fact]
    public void KeysAreReadableByTheirOwnerAlone()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);

        File.GetUnixFileMode(trust.Of(s_nomad)!.KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(Path.GetDirectoryName(trust.Of(s_nomad)!.KeyFile)!).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void NoSecretIsInTheMembership()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);

        var text = File.ReadAllText(member.Paths.ClusterFile);
        foreach (var product in new[] { s_nomad, s_consul })
        {
            text.ShouldNotContain(trust.Gossip(product)!);
            foreach (var name in product.Security!.Tokens.Prepend(SecretNames.Management)) text.ShouldNotContain(trust.Token(product, name)!);
        }

        text.ShouldNotContain("PRIVATE KEY");
    }

    private ClusterTrust Trust(Member member, out SecretStore secrets) => new(member.Membership, secrets = new SecretStore(member.Membership), ProductTable.Known, _clock);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
