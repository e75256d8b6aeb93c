// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Consul;
using Nomadstack.Nomad;
using Nomadstack.Security;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Security;

/// <summary>The configuration of closed agents, for exact versions.</summary>
public sealed class ClosedConfigTests
{
    private static readonly NodeFile s_node = new() { Id = "id", Name = "n1", Address = "10.0.0.1" };

    private static readonly Credentials s_credentials = Made();

    [Fact]
    public void ANomadServerIsClosedFromItsFirstStart()
    {
        var configuration = Parse((NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), []) with { Bootstrap = true, Credentials = s_credentials, GossipKey = "the gossip key" }).Render());

        configuration["tls"]!.ToJsonString().ShouldBe("""{"http":true,"rpc":true,"ca_file":"/p/ca.pem","cert_file":"/p/node.pem","key_file":"/p/node-key.pem","verify_server_hostname":true,"verify_https_client":true}""");
        configuration["acl"]!["enabled"]!.GetValue<bool>().ShouldBeTrue();
        configuration["server"]!["encrypt"]!.GetValue<string>().ShouldBe("the gossip key");
    }

    [Fact]
    public void ANomadClientSpeaksToItsConsulOnASocketWhichNeedsNoCertificate()
    {
        var configuration = Parse((NomadClientConfig.For(Role.Row(Role.Nomad), s_node, "/d", "/p") with { Consul = "unix:///d/api.sock", ConsulToken = "a token", Credentials = s_credentials }).Render());

        configuration["consul"]!["address"]!.GetValue<string>().ShouldBe("unix:///d/api.sock");
        configuration["consul"]!["token"]!.GetValue<string>().ShouldBe("a token");
        configuration["consul"]!.AsObject().ContainsKey("ssl").ShouldBeFalse();
    }

    [Theory]
    [InlineData("1.8.7")]
    [InlineData("1.22.0")]
    public void AConsulClientAnswersThereItsOwnerAloneAndOnTcpOnlyWithTls(string version)
    {
        var configuration = Parse((ConsulClientConfig.For(Role.Row(Role.Consul), s_node, "/d", SemVer.Parse(version)!) with { Socket = "/d/api.sock", Security = new(s_credentials, "the gossip key", "a token") }).Render());

        configuration["addresses"]!.ToJsonString().ShouldBe("""{"http":"unix:///d/api.sock"}""");
        configuration["unix_sockets"]!["mode"]!.GetValue<string>().ShouldBe("0600");
        configuration["ports"]!["https"]!.GetValue<int>().ShouldBe(s_node.Ports[Role.Row(Role.Consul).Port(ProductPort.Client, ProductPort.Http)]);
    }

    [Fact]
    public void WhereNoSocketFitsANomadClientShowsItsCertificateToConsul()
    {
        var configuration = Parse((NomadClientConfig.For(Role.Row(Role.Nomad), s_node, "/d", "/p") with { Consul = "10.0.0.1:8500", ConsulToken = "a token", ConsulCredentials = s_credentials, Credentials = s_credentials }).Render());

        configuration["acl"]!["enabled"]!.GetValue<bool>().ShouldBeTrue();
        configuration["tls"]!["verify_https_client"]!.GetValue<bool>().ShouldBeTrue();
        var consul = configuration["consul"]!;
        consul["ssl"]!.GetValue<bool>().ShouldBeTrue();
        consul["verify_ssl"]!.GetValue<bool>().ShouldBeTrue();
        consul["token"]!.GetValue<string>().ShouldBe("a token");
    }

    [Fact]
    public void AnOpenAgentHasNoneOfIt()
    {
        foreach (var text in new[] { NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), []).Render(), ConsulServerConfig.For(Role.Site(Role.Consul, "/d"), [], new(1, 8, 7)).Render() })
        {
            text.ShouldNotContain("tls\"");
            text.ShouldNotContain("acl");
            text.ShouldNotContain("encrypt");
        }
    }

    [Theory]
    [InlineData("1.8.7", "master")]
    [InlineData("1.11.0", "initial_management")]
    [InlineData("1.12.0", "initial_management")]
    [InlineData("1.22.0", "initial_management")]
    public void TheFirstTokenOfConsulIsInTheBootstrapServersFileAlone(string version, string key)
    {
        var security = new ConsulSecurity(s_credentials, "gossip", "agent token");
        var first = Parse((Consul(version) with { Bootstrap = true, Security = security with { InitialManagement = "management" } }).Render());
        var job = (Consul(version) with { Security = security }).Render();

        first["acl"]!["tokens"]![key]!.GetValue<string>().ShouldBe("management");
        first["acl"]!["default_policy"]!.GetValue<string>().ShouldBe("deny");
        job.ShouldNotContain("management");
        job.ShouldNotContain("master");
    }

    /// <summary>The keys before 1.12 only warn in newer versions, but one day they will not be read.</summary>
    [Theory]
    [InlineData("1.8.7", false)]
    [InlineData("1.11.11", false)]
    [InlineData("1.12.0", true)]
    [InlineData("1.22.0", true)]
    public void ConsulGetsTheKeysOfItsVersion(string version, bool block)
    {
        var configuration = Parse((Consul(version) with { Security = new(s_credentials, "gossip", "agent token") }).Render());

        configuration["ports"]!["http"]!.GetValue<int>().ShouldBe(-1);
        configuration["ports"]!["https"]!.GetValue<int>().ShouldBeGreaterThan(0);
        configuration["encrypt"]!.GetValue<string>().ShouldBe("gossip");
        (configuration["tls"] is not null).ShouldBe(block);
        (configuration["ca_file"] is null).ShouldBe(block);
        (block ? configuration["tls"]!["defaults"]! : configuration)["verify_incoming"]!.GetValue<bool>().ShouldBeTrue();
        (block ? configuration["tls"]!["internal_rpc"]! : configuration)["verify_server_hostname"]!.GetValue<bool>().ShouldBeTrue();
    }

    private static ConsulServerConfig Consul(string version) => ConsulServerConfig.For(Role.Site(Role.Consul, "/d"), [], SemVer.Parse(version)!);

    private static JsonNode Parse(string text) => JsonNode.Parse(text)!;

    private static Credentials Made()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var certificate = Nomadstack.Peers.Certificates.Authority("test", key, TimeProvider.System.GetUtcNow());
        return new("/p/ca.pem", "/p/node.pem", "/p/node-key.pem", [certificate], certificate);
    }
}
