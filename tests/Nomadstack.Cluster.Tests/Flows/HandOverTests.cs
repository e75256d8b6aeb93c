// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Servers move while users write. An acknowledged write is never lost; nobody waits longer than an election.</summary>
[Collection(Timed.Name)]
public sealed class HandOverTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_longestGap = TimeSpan.FromSeconds(5);

    [SkippableFact]
    public async Task TheOnlyServerMovesToTheOtherNodeAndBack()
    {
        await using var cluster = await MachinesAsync(2);
        LabNode one = cluster.Nodes[0], two = cluster.Nodes[1];
        await cluster.StartAllAsync();
        var before = await Invariants.HoldAsync(cluster, 1);
        before.Servers.ShouldAllBe(server => server.Node == "n1");

        await MovesAsync(cluster, one, two, ["nomadstack", "node", "drain", "n1"]);
        await cluster.MustAsync(one, TimeSpan.FromSeconds(30), "node", "drain", "n1", "--disable");
        await MovesAsync(cluster, two, one, cluster.HasNomadsCommands ? ["nomadstack", "nomad", "node", "drain", "-enable", "-yes", "-self"] : ["nomadstack", "node", "drain", "n2"]);

        (await Evidence.CollectAsync(cluster)).ClusterId.ShouldBe(before.ClusterId);
    }

    /// <summary>Drained on its own node, the only server of each product moves to the other one while a user writes.</summary>
    private async Task MovesAsync(TestCluster cluster, LabNode from, LabNode to, string[] drain)
    {
        await using var prober = new WriteProber(TestCluster.Nomad(to), TestCluster.Nomad(from));
        await Eventually.TrueAsync("the first writes", TimeSpan.FromSeconds(10), () => Task.FromResult(prober.Acknowledged > 10));

        var drained = await from.ExecAsync(drain, TimeSpan.FromMinutes(3));
        drained.ExitCode.ShouldBe(0, drained.ToString());
        await Eventually.NothingIsMissingAsync($"the servers are on {to.Name} alone", TimeSpan.FromMinutes(2), () =>
        {
            var servers = cluster.Nodes.SelectMany(EngineProcess.On).Where(process => process.Kind != EngineKind.Client).ToList();
            return Task.FromResult(servers.Count == 2 && servers.TrueForAll(server => server.Node == to.Name) ? null : string.Join(", ", servers));
        }, cluster.Logs);

        var writes = await prober.StopAsync();
        Say($"{string.Join(' ', drain)}: {writes}");
        writes.NothingLost.ShouldBeTrue(writes.ToString());
        writes.IndexOnlyRose.ShouldBeTrue(writes.ToString());
        writes.LongestGap.ShouldBeLessThan(s_longestGap, writes.ToString());
        Directory.Exists(Path.Combine(from.Data, "retired")).ShouldBeTrue("the old raft folder is kept");
        await PeersAreAsync(cluster, $"the server of {to.Name} alone", peers => peers is [var only] && only.Address.StartsWith(to.Address, StringComparison.Ordinal));
    }

    /// <summary>A client agent may still have the server in its list that has just left, and a call that it passes on there fails: a user asks again.</summary>
    private static Task<TimeSpan> PeersAreAsync(TestCluster cluster, string what, Func<IReadOnlyList<RaftPeer>, bool> right) =>
        Eventually.NothingIsMissingAsync(what, TimeSpan.FromSeconds(30), async () =>
            (await Evidence.CollectAsync(cluster)).NomadPeers is var peers && right(peers) ? null : string.Join(", ", peers), cluster.Logs);

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
        await PeersAreAsync(cluster, "three voters", peers => peers.Count(peer => peer.Voter) == 3);

        await cluster.MustAsync(host, TimeSpan.FromSeconds(30), "node", "drain", host.Name, "--disable");
        var returned = await Invariants.HoldAsync(cluster, 3);
        returned.NodeIds.Count.ShouldBe(cluster.Nodes.Count);
        returned.Servers.ShouldNotContain(server => server.Node == host.Name, "a node that returns takes nothing away from those that serve");
    }
}
