// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

using ConsulClient = Nomadstack.Consul.ConsulClientConfig;
using ConsulServer = Nomadstack.Consul.ConsulServerConfig;

namespace Nomadstack.Tests.Nomad;

/// <summary>Rules that every rendered configuration keeps, whatever binary reads it.</summary>
public sealed class ConfigTests
{
    private static readonly NodeFile s_node = new() { Id = "id", Name = "n1", Address = "10.0.0.1" };

    private static readonly SemVer s_consul = new(1, 8, 7);

    private static readonly string[] s_permanent =
    [
        NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), ["10.0.0.2:4648"]).Render(),
        (NomadClientConfig.For(Role.Row(Role.Nomad), s_node, "/d", "/p") with { Consul = "10.0.0.1:8500" }).Render(),
        ConsulServer.For(Role.Site(Role.Consul, "/d"), [], s_consul).Render(),
        ConsulClient.For(Role.Row(Role.Consul), s_node, "/d", s_consul).Render(),
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
        NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), ["10.0.0.3:4648", "10.0.0.2:4648"]).Render()
            .ShouldBe(NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), ["10.0.0.2:4648", "10.0.0.3:4648"]).Render());

    [Fact]
    public void AServerDoesNotJoinItself()
    {
        var nomad = JsonNode.Parse(NomadServerConfig.For(Role.Site(Role.Nomad, "/d"), ["10.0.0.1:4648"]).Render())!;
        var consul = JsonNode.Parse(ConsulServer.For(Role.Site(Role.Consul, "/d"), ["10.0.0.1:8311"], s_consul).Render())!;

        nomad["server"]!["server_join"].ShouldBeNull();
        consul["retry_join"].ShouldBeNull();
    }

    [Fact]
    public void OnlyABootstrapServerBootstraps()
    {
        var temporary = NomadServerConfig.For(Role.Site(Role.Nomad, "/d", bootstrap: true), []);

        ((int?)JsonNode.Parse(temporary.Render())!["server"]!["bootstrap_expect"]).ShouldBe(0);
        ((int?)JsonNode.Parse((temporary with { Bootstrap = true }).Render())!["server"]!["bootstrap_expect"]).ShouldBe(1);
        JsonNode.Parse(ConsulServer.For(Role.Site(Role.Consul, "/d"), [], s_consul).Render())!["bootstrap_expect"].ShouldBeNull();
    }

    [Theory]
    [InlineData("1.8.7", null)]
    [InlineData("1.13.9", null)]
    [InlineData("1.14.0", -1)]
    [InlineData("1.20.1", -1)]
    public void ClosesThePortThatNewerConsulsOpen(string version, int? expected) =>
        ((int?)JsonNode.Parse(ConsulServer.For(Role.Site(Role.Consul, "/d"), [], SemVer.Parse(version)!).Render())!["ports"]!["grpc_tls"]).ShouldBe(expected);

    [Theory]
    [InlineData("1.8.7", null)]
    [InlineData("1.15.2", null)]
    [InlineData("1.15.3", "87600h")]
    [InlineData("1.21.0", "87600h")]
    public void AConsulServerStartsHoweverLongItsRoomWasDark(string version, string? expected) =>
        ((string?)JsonNode.Parse(ConsulServer.For(Role.Site(Role.Consul, "/d"), [], SemVer.Parse(version)!).Render())!["server_rejoin_age_max"]).ShouldBe(expected);

    [Fact]
    public void IPv6AddressesAreBracketed() =>
        ((string?)JsonNode.Parse(NomadServerConfig.For(Role.Site(Role.Nomad, "/d", address: "2001:db8::1"), []).Render())!["advertise"]!["rpc"]).ShouldBe("[2001:db8::1]:4647");

    /// <summary>Nomad before 1.10 starts whatever is in that folder, block or no block.</summary>
    [Fact]
    public void AClientThatRunsNoServersIsNotShownOurDriver()
    {
        var config = JsonNode.Parse(NomadClientConfig.For(Role.Row(Role.Nomad), s_node, "/d", null).Render())!;

        config["plugin_dir"].ShouldBeNull();
        config["plugin"]!.AsObject().Select(p => p.Key).ShouldBe(["raw_exec"]);
    }

    [Fact]
    public void AClientWithoutConsulDoesNotLookForIt()
    {
        var config = JsonNode.Parse(NomadClientConfig.For(Role.Row(Role.Nomad), s_node, "/d", "/p").Render())!;

        ((string?)config["client"]!["options"]!["fingerprint.denylist"])!.Split(',').ShouldContain("consul");
        config["consul"]!["address"].ShouldBeNull();
        ((bool?)config["consul"]!["auto_advertise"]).ShouldBe(false);
    }
}
