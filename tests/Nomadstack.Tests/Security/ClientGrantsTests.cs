// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Security;

/// <summary>The files of a client node in <c>pki/PRODUCT/</c>: when they count, and when new ones are wanted.</summary>
public sealed class ClientGrantsTests : IDisposable
{
    private static readonly Product s_consul = Role.Row(Role.Consul);

    private readonly Members _cluster = new();
    private readonly Clock _clock = new();
    private readonly ECDsa _caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256), _otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _ca, _other;
    private readonly Member _member;

    public ClientGrantsTests()
    {
        (_ca, _other) = (Certificates.Authority("one", _caKey, _clock.Now), Certificates.Authority("two", _otherKey, _clock.Now));
        _member = _cluster.New();
    }

    private string Authorities => _ca.ExportCertificatePem();

    public void Dispose()
    {
        foreach (var made in new IDisposable[] { _cluster, _ca, _other, _caKey, _otherKey }) made.Dispose();
    }

    [Fact]
    public void WhatWasGivenIsThereForTheNextAgent()
    {
        Grants().Take(s_consul, Given("own"), Authorities).ShouldBeTrue();

        var next = Grants();
        next.Load(s_consul, Authorities).ShouldNotBeNull();
        next.Token(s_consul, GivenCredentials.Own).ShouldBe("own");
        next.Token(s_consul, ProductTokens.Catalog).ShouldBe("own", "a name that was not given stands for the node's own work");
        next.Token(s_consul, ProductTokens.Names).ShouldBe("names");
        next.Gossip(s_consul).ShouldBe("gossip");
        next.IsDue(s_consul, Authorities).ShouldBeFalse();
    }

    [Fact]
    public void TheSameAgainIsNothingNew()
    {
        var grants = Grants();
        grants.Take(s_consul, Given("own"), Authorities);
        var before = File.ReadAllText(File_("node.pem"));

        grants.Take(s_consul, Given("own"), Authorities).ShouldBeFalse("a certificate that is not due stays");
        File.ReadAllText(File_("node.pem")).ShouldBe(before);
        grants.Take(s_consul, Given("another"), Authorities).ShouldBeTrue();
        grants.Token(s_consul, GivenCredentials.Own).ShouldBe("another");
    }

    /// <summary>A rotation is seen in the settings; what it replaces is not.</summary>
    [Fact]
    public void WhatWasAskedForUnderOtherSettingsIsWantedAgainAndKeptUnderThoseOfNow()
    {
        var grants = Grants();
        grants.Take(s_consul, Given("own") with { Digest = "before" }, Authorities, "1.0");

        grants.IsDue(s_consul, Authorities, "1.0").ShouldBeFalse();
        grants.IsDue(s_consul, Authorities, "1.1").ShouldBeTrue();
        grants.Take(s_consul, Given("own") with { Digest = "after" }, Authorities, "1.1").ShouldBeTrue();

        grants.IsDue(s_consul, Authorities, "1.1").ShouldBeFalse();
        Grants().Digest(s_consul).ShouldBe("after");
    }

    [Fact]
    public void NewOnesAreWantedWhenAThirdIsLeftAndTheOldOnesCountToTheirEnd()
    {
        Grants().Take(s_consul, Given("own"), Authorities);
        _clock.Now += TimeSpan.FromDays(19);
        Grants().IsDue(s_consul, Authorities).ShouldBeFalse();
        _clock.Now += TimeSpan.FromDays(2);
        Grants().IsDue(s_consul, Authorities).ShouldBeTrue();
        Grants().Load(s_consul, Authorities).ShouldNotBeNull();
        _clock.Now += TimeSpan.FromDays(10);
        Grants().Load(s_consul, Authorities).ShouldBeNull("it has ended");
    }

    [Fact]
    public void NewOnesAreWantedWhenAnotherAuthoritySignsAndTheOldOnesCountAsLongAsTheirsDoes()
    {
        Grants().Take(s_consul, Given("own"), Authorities);
        var both = _other.ExportCertificatePem() + "\n" + Authorities;

        Grants().IsDue(s_consul, both).ShouldBeTrue();
        Grants().Load(s_consul, both).ShouldNotBeNull();
        File.ReadAllText(File_("ca.pem")).ShouldBe(both);
        Grants().Load(s_consul, _other.ExportCertificatePem()).ShouldBeNull();
    }

    [Fact]
    public void NewOnesAreWantedAtAnotherAddress()
    {
        Grants().Take(s_consul, Given("own"), Authorities);

        new ClientGrants(_member.Paths, _member.File with { Address = "10.9.9.9" }, _clock).IsDue(s_consul, Authorities).ShouldBeTrue();
    }

    [Fact]
    public void ACertificateOfAnAuthorityThatIsNotKnownHereIsRefused()
    {
        var given = Given("own", _other, _otherKey);

        Should.Throw<ProblemException>(() => Grants().Take(s_consul, given, Authorities)).Problem.Code.ShouldBe("client/bad-answer");
        Grants().Load(s_consul, Authorities).ShouldBeNull();
    }

    [Theory]
    [InlineData("given.json", "{\"schema\":")]
    [InlineData("given.json", "")]
    [InlineData("given.json", "{\"schema\":9,\"address\":\"\",\"tokens\":{}}")]
    [InlineData("node.pem", "half a certif")]
    [InlineData("node-key.pem", "half a key")]
    public void ADamagedFileIsAskedForAnew(string file, string content)
    {
        Grants().Take(s_consul, Given("own"), Authorities);
        File.WriteAllText(File_(file), content);

        Grants().Load(s_consul, Authorities).ShouldBeNull();
        Grants().IsDue(s_consul, Authorities).ShouldBeTrue();
        Grants().Take(s_consul, Given("own"), Authorities).ShouldBeTrue();
        Grants().Load(s_consul, Authorities).ShouldNotBeNull();
    }

    private string File_(string name) => Path.Combine(_member.Paths.Pki, s_consul.Name, name);

    private GivenCredentials Given(string own, X509Certificate2? ca = null, ECDsa? key = null) => new(
        ClientCertificates.Issue(s_consul, _member.Entry, ca ?? _ca, (key ?? _caKey).ExportPkcs8PrivateKeyPem(), Grants().KeyFor(s_consul), withAddress: true, _clock.Now),
        "gossip",
        new Dictionary<string, string> { [GivenCredentials.Own] = own, [ProductTokens.Names] = "names" });

    private ClientGrants Grants() => new(_member.Paths, _member.File, _clock);

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
