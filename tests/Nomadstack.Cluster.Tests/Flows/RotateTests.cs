// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Everything secret is replaced while the cluster works, and a node that was away all the time comes back.</summary>
[Collection(Timed.Name)]
public sealed class RotateTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_longestGap = TimeSpan.FromSeconds(5);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task EverythingIsReplacedUnderLoadAndANodeThatWasAwayReturns(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 3, secure: true);
        await cluster.StartAllAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        LabNode one = cluster.Nodes[0], two = cluster.Nodes[1], away = cluster.Nodes[2];
        await cluster.LetWriterInAsync(one);
        var keys = Secrets(one);
        await away.PowerOffAsync();
        await using var prober = new WriteProber(TestCluster.Nomad(one), TestCluster.Nomad(two));

        await cluster.MustAsync(one, TimeSpan.FromMinutes(4), "rotate", "all");

        var writes = await prober.StopAsync();
        Say($"{writes}");
        writes.NothingLost.ShouldBeTrue(writes.ToString());
        writes.LongestGap.ShouldBeLessThan(s_longestGap, writes.ToString());
        Secrets(one).Intersect(keys).ShouldBeEmpty();

        await cluster.PowerOnAsync(away);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(120));
        var after = await Invariants.HoldAsync(cluster, 3);
        after.NodeIds.ShouldBe(before.NodeIds, ignoreOrder: true);
        after.Servers.Select(s => $"{s.Product} on {s.Node}").Order().ShouldBe(before.Servers.Select(s => $"{s.Product} on {s.Node}").Order());
    }

    /// <summary>What a thief of this node's disk would have: its certificates, authorities and gossip keys.</summary>
    private static List<string> Secrets(LabNode node) =>
    [
        .. Directory.GetFiles(Path.Combine(node.Data, "pki"), "*.pem", SearchOption.AllDirectories).Select(File.ReadAllText),
        .. Directory.GetFiles(node.Data, "*.keyring", SearchOption.AllDirectories).Where(f => !f.Contains("retired", StringComparison.Ordinal)).SelectMany(f => System.Text.Json.JsonSerializer.Deserialize<string[]>(File.ReadAllText(f))!),
    ];
}
