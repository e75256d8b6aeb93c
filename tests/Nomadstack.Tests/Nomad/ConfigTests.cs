// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Programs;
using Shouldly;
using Xunit;
using ConsulClient = Nomadstack.Consul.ConsulClientConfig;
using ConsulServer = Nomadstack.Consul.ConsulServerConfig;

namespace Nomadstack.Tests.Nomad;

/// <summary>Rules that every rendered configuration keeps, whatever binary reads it.</summary>
public sealed class ConfigTests
{
    private static readonly SemVer s_consul = new(1, 8, 7);

    private static readonly string[] s_permanent =
    [
        (NomadServerConfig.Job("n1-server", "10.0.0.1", new(), "/d") with { Join = ["10.0.0.2:4648"] }).Render(),
        NomadClientConfig.For("n1", "id", "10.0.0.1", new(), "/d", "/p", consul: true).Render(),
        ConsulServer.Job("n1-server", "10.0.0.1", new(), "/d", s_consul).Render(),
        ConsulClient.For("n1", "10.0.0.1", new(), "/d").Render(),
    ];

    [Fact]
    public void NoPermanentFileNamesABootstrapPort()
    {
        foreach (var port in new[] { "14646", "14647", "14648", "18500", "18300", "18301" }) s_permanent.ShouldAllBe(c => !c.Contains(port));
    }

    [Fact]
    public void NothingBindsToEveryAddress() => s_permanent.ShouldAllBe(c => !c.Contains("0.0.0.0"));

    [Fact]
    public void TheSameSettingsRenderTheSameText() =>
        (NomadServerConfig.Job("a", "10.0.0.1", new(), "/d") with { Join = ["10.0.0.3:4648", "10.0.0.2:4648"] }).Render()
            .ShouldBe((NomadServerConfig.Job("a", "10.0.0.1", new(), "/d") with { Join = ["10.0.0.2:4648", "10.0.0.3:4648"] }).Render());

    [Fact]
    public void AServerDoesNotJoinItself()
    {
        var nomad = JsonNode.Parse((NomadServerConfig.Job("a", "10.0.0.1", new(), "/d") with { Join = ["10.0.0.1:4648"] }).Render())!;
        var consul = JsonNode.Parse((ConsulServer.Job("a", "10.0.0.1", new(), "/d", s_consul) with { Join = ["10.0.0.1:8311"] }).Render())!;

        nomad["server"]!["server_join"].ShouldBeNull();
        consul["retry_join"].ShouldBeNull();
    }

    [Fact]
    public void OnlyABootstrapServerBootstraps()
    {
        var temporary = NomadServerConfig.Temporary("a", "10.0.0.1", new(), "/d");

        ((int?)JsonNode.Parse(temporary.Render())!["server"]!["bootstrap_expect"]).ShouldBe(0);
        ((int?)JsonNode.Parse((temporary with { Bootstrap = true }).Render())!["server"]!["bootstrap_expect"]).ShouldBe(1);
        JsonNode.Parse(ConsulServer.Job("a", "10.0.0.1", new(), "/d", s_consul).Render())!["bootstrap_expect"].ShouldBeNull();
    }

    [Theory]
    [InlineData("1.8.7", null)]
    [InlineData("1.13.9", null)]
    [InlineData("1.14.0", -1)]
    [InlineData("1.20.1", -1)]
    public void ClosesThePortThatNewerConsulsOpen(string version, int? expected) =>
        ((int?)JsonNode.Parse(ConsulServer.Job("a", "10.0.0.1", new(), "/d", SemVer.Parse(version)!).Render())!["ports"]!["grpc_tls"]).ShouldBe(expected);

    [Theory]
    [InlineData("1.8.7", null)]
    [InlineData("1.15.2", null)]
    [InlineData("1.15.3", "87600h")]
    [InlineData("1.21.0", "87600h")]
    public void AConsulServerStartsHoweverLongItsRoomWasDark(string version, string? expected) =>
        ((string?)JsonNode.Parse(ConsulServer.Job("a", "10.0.0.1", new(), "/d", SemVer.Parse(version)!).Render())!["server_rejoin_age_max"]).ShouldBe(expected);

    [Fact]
    public void IPv6AddressesAreBracketed() =>
        ((string?)JsonNode.Parse(NomadServerConfig.Job("a", "2001:db8::1", new(), "/d").Render())!["advertise"]!["rpc"]).ShouldBe("[2001:db8::1]:4647");

    [Fact]
    public void AClientWithoutConsulDoesNotLookForIt()
    {
        var config = JsonNode.Parse(NomadClientConfig.For("n1", "id", "10.0.0.1", new PortPlan(), "/d", "/p", consul: false).Render())!;

        ((string?)config["client"]!["options"]!["fingerprint.denylist"])!.Split(',').ShouldContain("consul");
        config["consul"]!["address"].ShouldBeNull();
        ((bool?)config["consul"]!["auto_advertise"]).ShouldBe(false);
    }
}
