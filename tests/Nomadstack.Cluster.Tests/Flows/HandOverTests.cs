// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Servers move while users write. An acknowledged write is never lost; nobody waits longer than an election.</summary>
public sealed class HandOverTests(ITestOutputHelper output) : Scenario(output)
{
    /// <summary>
    /// The bar is 5 s and every run prints its figure. A write that reaches the old leader while it leaves is held by Nomad itself for up to 5 s
    /// (its RPC hold), so on a busy machine a single write can take the hold and an election; more than that is a fault of ours.
    /// </summary>
    private static readonly TimeSpan s_longestGap = TimeSpan.FromSeconds(8);

    [SkippableTheory]
    [InlineData("nomadstack", "node", "drain", "n1")]
    [InlineData("nomadstack", "nomad", "node", "drain", "-enable", "-yes", "-self")]
    public async Task TheOnlyServerMovesToTheOtherNode(params string[] drain)
    {
        await using var cluster = await MachinesAsync(2);
        LabNode one = cluster.Nodes[0], two = cluster.Nodes[1];
        await cluster.StartAllAsync();
        var before = await Invariants.HoldAsync(cluster, 1);
        before.Servers.ShouldAllBe(server => server.Node == "n1");
        await using var prober = new WriteProber(TestCluster.Nomad(two), TestCluster.Nomad(one));
        await Eventually.TrueAsync("the first writes", TimeSpan.FromSeconds(10), () => Task.FromResult(prober.Acknowledged > 10));

        var drained = await one.ExecAsync(drain, TimeSpan.FromMinutes(3));
        drained.ExitCode.ShouldBe(0, drained.ToString());
        await Eventually.NothingIsMissingAsync("the servers are on n2 alone", TimeSpan.FromMinutes(2), () =>
        {
            var servers = cluster.Nodes.SelectMany(EngineProcess.On).Where(process => process.Kind != EngineKind.Client).ToList();
            return Task.FromResult(servers.Count == 2 && servers.TrueForAll(server => server.Node == "n2") ? null : string.Join(", ", servers));
        }, cluster.Logs);

        var writes = await prober.StopAsync();
        Say($"{string.Join(' ', drain)}: {writes}");
        writes.NothingLost.ShouldBeTrue(writes.ToString());
        writes.IndexOnlyRose.ShouldBeTrue(writes.ToString());
        writes.LongestGap.ShouldBeLessThan(s_longestGap, writes.ToString());
        Directory.Exists(Path.Combine(one.Data, "retired")).ShouldBeTrue("the old raft folder is kept");
        var now = await Evidence.CollectAsync(cluster);
        now.ClusterId.ShouldBe(before.ClusterId);
        now.NomadPeers.ShouldHaveSingleItem().Address.ShouldStartWith(two.Address);
    }

    [SkippableFact]
    public async Task OneOfThreeDrainsAndReturns()
    {
        await using var cluster = await MachinesAsync(4);
        await cluster.StartAllAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        var host = cluster[before.Servers.First(server => server.Product == "nomad").Node];
        var other = cluster.Nodes.First(node => node != host);
        await using var prober = new WriteProber([.. cluster.Nodes.Where(node => node != host).Select(TestCluster.Nomad)]);

        await cluster.MustAsync(other, TimeSpan.FromMinutes(3), "node", "drain", host.Name);

        await Eventually.NothingIsMissingAsync($"no server is left on {host.Name}", TimeSpan.FromMinutes(2), () =>
            Task.FromResult(EngineProcess.On(host).Any(process => process.Kind != EngineKind.Client) ? "one is" : null), cluster.Logs);
        var writes = await prober.StopAsync();
        Say($"{writes}");
        writes.NothingLost.ShouldBeTrue(writes.ToString());
        writes.LongestGap.ShouldBeLessThan(s_longestGap, writes.ToString());
        (await Evidence.CollectAsync(cluster)).NomadPeers.Count(peer => peer.Voter).ShouldBe(3);
    }
}
