// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Stack;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Machines come back under other addresses, and nobody types a command.</summary>
public sealed class ReaddressTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task TheClusterIsTheSameAfterAddressesChangedWhileItWasOff(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 3, secure: true);
        await cluster.StartAllAsync();
        foreach (var node in cluster.Nodes) await cluster.LetWriterInAsync(node);
        await cluster.RunWorkloadAsync();
        var before = await Invariants.HoldAsync(cluster, 3);

        foreach (var (what, addresses) in new (string, int[])[] { ("one", [1, 22, 3]), ("all", [31, 32, 33]), ("all swapped", [32, 33, 31]), ("two", [41, 42, 31]) })
        {
            await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
            foreach (var (node, address) in cluster.Nodes.Zip(addresses)) await node.ReaddressAsync(address);
            await Task.WhenAll(cluster.Nodes.Select(cluster.PowerOnAsync));
            var healthy = await cluster.HealthyAsync(3, TimeSpan.FromSeconds(90));
            Say($"{engine}, {what}: healthy {healthy.TotalSeconds:0.0} s after the last power");
            Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 3, before));
        }
    }

    /// <summary>The laptop that comes home, or the one server of a homelab with another lease.</summary>
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task AClusterOfOneGoesOnAtItsNewAddress(string engine)
    {
        await NotTwiceEveryDayAsync(engine);
        await using var cluster = await MachinesWithAsync(engine, 1, secure: true);
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        await cluster.LetWriterInAsync(node);
        await cluster.RunWorkloadAsync();
        var before = await Invariants.HoldAsync(cluster, 1);

        foreach (var address in (int[])[77, 1])
        {
            await node.PowerOffAsync();
            await node.ReaddressAsync(address);
            await cluster.PowerOnAsync(node);
            Say($"{engine}, at .{address}: healthy {(await cluster.HealthyAsync(1, TimeSpan.FromSeconds(60))).TotalSeconds:0.0} s after the power");
            Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 1, before));
        }
    }
}
