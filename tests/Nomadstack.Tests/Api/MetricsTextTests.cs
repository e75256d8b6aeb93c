// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Api;
using Nomadstack.Tests.Cli;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Api;

public sealed class MetricsTextTests
{
    private static readonly StatusDocument s_status = FakeAgentService.Healthy() is var healthy
        ? healthy with
        {
            Cluster = healthy.Cluster with { Certificates = [new("nomad", "ca", DateTimeOffset.FromUnixTimeSeconds(2079302400), "fine"), new("nomad", "node", DateTimeOffset.FromUnixTimeSeconds(1798070400), "fine"), new("consul", "node", null, "unreadable")] },
            Nodes = [.. healthy.Nodes, FakeAgentService.Member("n4", "10.77.0.4", agent: "unreachable")],
            Servers = [.. healthy.Servers, FakeAgentService.Server("nomad", "n4", 4647, healthy: false)],
        }
        : null!;

    [Fact]
    public void TheStatusIsSaidInPrometheussFormat() => MetricsText.Of(s_status).ShouldBe(
        """
        # HELP nomadstack_build_info The version of this node's agent.
        # TYPE nomadstack_build_info gauge
        nomadstack_build_info{version="0.1.0"} 1
        # HELP nomadstack_cluster_healthy Whether the cluster is healthy, as this node sees it.
        # TYPE nomadstack_cluster_healthy gauge
        nomadstack_cluster_healthy 1
        # HELP nomadstack_servers_desired How many servers the job of the scheduler asks for.
        # TYPE nomadstack_servers_desired gauge
        nomadstack_servers_desired 3
        # HELP nomadstack_servers_healthy Servers placed by their job that are healthy voters.
        # TYPE nomadstack_servers_healthy gauge
        nomadstack_servers_healthy{product="nomad"} 3
        nomadstack_servers_healthy{product="consul"} 3
        # HELP nomadstack_members Nodes of the cluster, by the state of their agent.
        # TYPE nomadstack_members gauge
        nomadstack_members{agent="reachable"} 3
        nomadstack_members{agent="unreachable"} 1
        nomadstack_members{agent="joining"} 0
        # HELP nomadstack_certificate_expiration_timestamp_seconds When a certificate ends, in seconds since 1970.
        # TYPE nomadstack_certificate_expiration_timestamp_seconds gauge
        nomadstack_certificate_expiration_timestamp_seconds{product="nomad",kind="ca"} 2079302400
        nomadstack_certificate_expiration_timestamp_seconds{product="nomad",kind="node",node="n1"} 1798070400

        """);

    [Fact]
    public void ANodeWithoutAClusterHasOnlyItsVersion()
    {
        var none = FakeAgentService.Healthy() with { Cluster = new("", "none", "", 0), Servers = [], Nodes = [] };

        MetricsText.Of(none).Split('\n').Where(line => line.Length > 0 && line[0] != '#').ShouldHaveSingleItem().ShouldStartWith("nomadstack_build_info");
    }

    [Fact]
    public void AnUnhealthyClusterIsZeroAndANameIsEscaped()
    {
        var odd = s_status with { Engine = new Dictionary<string, EngineVersion>(s_status.Engine) { ["consul"] = new("none", "") }, Cluster = s_status.Cluster with { State = "no-quorum" }, Node = s_status.Node with { Name = "a\"b\\c\nd" } };

        var text = MetricsText.Of(odd);

        text.ShouldContain("nomadstack_cluster_healthy 0\n");
        text.ShouldNotContain("nomadstack_servers_healthy{product=\"consul\"}");
        text.ShouldContain("""node="a\"b\\c\nd"} 1798070400""");
    }

    [Fact]
    public async Task TheAgentsSocketAndTheCommandSayTheSame()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Status = s_status;
        var typed = new Typed();

        (await typed.RunAsync("metrics", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Out.ToString().ShouldBe(MetricsText.Of(s_status));
        typed.Error.ToString().ShouldBeEmpty();
    }

    [Fact]
    public async Task JsonIsTheStatussToGive()
    {
        var typed = new Typed();

        (await typed.RunAsync("metrics", "--json")).ShouldBe(2);

        typed.Out.ToString().ShouldContain("nomadstack status --json");
    }

    [SkippableFact]
    public async Task PrometheussOwnCheckFindsNothingToSay()
    {
        var promtool = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "promtool")).FirstOrDefault(File.Exists);
        Skip.If(promtool is null, "promtool is not on the PATH; it is in Debian's package prometheus");
        using var check = Process.Start(new ProcessStartInfo(promtool!, ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        await check.StandardInput.WriteAsync(MetricsText.Of(s_status));
        check.StandardInput.Close();
        var said = await check.StandardOutput.ReadToEndAsync() + await check.StandardError.ReadToEndAsync();
        await check.WaitForExitAsync();

        said.ShouldBeEmpty();
        check.ExitCode.ShouldBe(0);
    }
}
