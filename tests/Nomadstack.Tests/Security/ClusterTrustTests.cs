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
        Reload(trust);

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

        trust.Reloaded(trust.Renew().Single(d => d.Product == s_nomad));
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

        var moved = CredentialFiles.Ensure(member.Paths, member.File with { Address = "10.9.9.9" }, s_nomad, member.Membership.Settings!.Text(SettingNames.Ca("nomad"))!, 0, () => System.Text.Encoding.UTF8.GetString(secrets.Open(SecretNames.CaKey("nomad"))!), _clock.GetUtcNow());

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

    [Fact]
    public void ANewRoundMakesNewCertificatesWithNewKeysOnce()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        var first = trust.Of(s_nomad)!.Certificate;
        Reload(trust);

        member.Membership.Set(SettingNames.Rotation(RotationKinds.Certs, "nomad"), 1);

        trust.Renew().ShouldHaveSingleItem().Product.ShouldBe(s_nomad);
        var second = trust.Of(s_nomad)!.Certificate;
        Certificates.Pin(second).ShouldNotBe(Certificates.Pin(first));
        Reload(trust);
        trust.Renew().ShouldBeEmpty();
        Trust(member, out _).Of(s_nomad)!.Certificate.Thumbprint.ShouldBe(second.Thumbprint);
    }

    /// <summary>As a rotation does it. At each step, a certificate is signed by the authority that stands first, and both sides of any two steps in a row trust each other.</summary>
    [Fact]
    public void WhileAuthoritiesChangeEveryCertificateIsTrustedByWhoIsOneStepBehindOrAhead()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        trust.KeepNext(SecretNames.CaKey("nomad"), trust.MakeAuthority(s_nomad));
        var (old, next) = (trust.AuthoritiesOf(s_nomad)[0], CredentialFiles.Split(trust.NextOf(SecretNames.CaKey("nomad"))!)[0]);
        List<Credentials> steps = [trust.Of(s_nomad)!];
        foreach (var order in new string[][] { [old, next], [next, old], [next] })
        {
            trust.SetAuthorities(s_nomad, order);
            trust.Renew();
            steps.Add(trust.Of(s_nomad)!);
        }

        foreach (var (one, other) in steps.Zip(steps.Skip(1)))
        {
            other.Ca.Any(ca => Certificates.Complaint(one.Certificate, ca, _clock.GetUtcNow()) is null).ShouldBeTrue();
            one.Ca.Any(ca => Certificates.Complaint(other.Certificate, ca, _clock.GetUtcNow()) is null).ShouldBeTrue();
        }

        Certificates.Complaint(steps[^1].Certificate, X509Certificate2.CreateFromPem(next), _clock.GetUtcNow()).ShouldBeNull();
        trust.ForPerson(s_nomad, "alice", _clock.GetUtcNow() + TimeSpan.FromHours(1)).Authorities.Trim().ShouldBe(next.Trim());
    }

    /// <summary>Settings and secrets come on their own ways.</summary>
    [Fact]
    public void ANodeThatKnowsTheNewAuthorityAndNotYetItsKeyGoesOnWithWhatItHas()
    {
        var member = _cluster.First();
        var trust = Trust(member, out _);
        trust.Mint(secure: true);
        var before = trust.Of(s_nomad)!;

        trust.SetAuthorities(s_nomad, [CredentialFiles.Split(trust.MakeAuthority(s_nomad))[0], trust.AuthoritiesOf(s_nomad)[0]]);

        trust.Of(s_nomad).ShouldBe(before);
    }

    [Fact]
    public void WhatAgentsHaveReadChangesWithEverythingThatTheyRead()
    {
        var member = _cluster.First();
        var trust = Trust(member, out var secrets);
        trust.Mint(secure: true);
        HashSet<string> digests = [trust.Digest(s_consul)];

        trust.Keep(SecretNames.Token("consul", ProductTokens.Catalog), "another");
        digests.Add(trust.Digest(s_consul)).ShouldBeTrue();
        trust.Keep(SecretNames.Gossip("consul"), ClusterTrust.MakeGossipKey());
        digests.Add(trust.Digest(s_consul)).ShouldBeTrue();
        member.Membership.Set(SettingNames.Rotation(RotationKinds.Certs, "consul"), 1);
        digests.Add(trust.Digest(s_consul)).ShouldBeTrue();
        trust.SetAuthorities(s_consul, [.. trust.AuthoritiesOf(s_consul), CredentialFiles.Split(trust.MakeAuthority(s_consul))[0]]);
        digests.Add(trust.Digest(s_consul)).ShouldBeTrue();

        // What is only made for later, and what another product has, is not read by these agents.
        trust.KeepNext(SecretNames.Gossip("consul"), ClusterTrust.MakeGossipKey());
        trust.Keep(SecretNames.Gossip("nomad"), ClusterTrust.MakeGossipKey());
        digests.ShouldContain(trust.Digest(s_consul));
        secrets.Open(SecretNames.Next(SecretNames.Gossip("consul"))).ShouldNotBeNull();
    }

    private static void Reload(ClusterTrust trust)
    {
        foreach (var due in trust.Renew()) trust.Reloaded(due);
    }

    private ClusterTrust Trust(Member member, out SecretStore secrets) => new(member.Membership, secrets = new SecretStore(member.Membership), ProductTable.Known, _clock);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
