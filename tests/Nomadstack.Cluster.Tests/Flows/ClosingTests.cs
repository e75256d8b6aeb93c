// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>A cluster that was made open is closed while people use it.</summary>
[Collection(Timed.Name)]
public sealed class ClosingTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_longestGap = TimeSpan.FromSeconds(8);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task ItsTasksRunOnNoWriteIsLostAndItComesBackClosedAfterAPowerCut(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 3);
        await cluster.StartAllAsync();
        await Invariants.HoldAsync(cluster, 3);
        await cluster.RunWorkloadAsync();
        var tasks = Tasks(cluster);
        await using var prober = new WriteProber([.. cluster.Nodes.Select(TestCluster.Nomad)]);
        await Eventually.TrueAsync("the first writes", TimeSpan.FromSeconds(10), () => Task.FromResult(prober.Acknowledged > 10));

        await cluster.MustAsync(cluster.Nodes[1], TimeSpan.FromMinutes(3), "secure");

        var writes = await prober.StopAsync();
        Say($"{engine}: {writes}");
        writes.NothingLost.ShouldBeTrue(writes.ToString());
        writes.LongestGap.ShouldBeLessThan(s_longestGap, writes.ToString());
        Tasks(cluster).ShouldBe(tasks, ignoreOrder: true, "no task was started again");
        foreach (var node in cluster.Nodes) await Stranger.GetsNothingAsync(node, cluster.Products > 1);
        // Its task that writes to Nomad is a tool like any other, and nobody had let it in.
        foreach (var node in cluster.Nodes) await cluster.LetWriterInAsync(node);

        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        await Task.WhenAll(cluster.Nodes.Select(cluster.PowerOnAsync));

        await Eventually.NothingIsMissingAsync("the workload runs", TimeSpan.FromSeconds(120), () =>
            Task.FromResult(Workload.RunningSinceBoot(cluster.Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null), cluster.Logs);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(60));
        foreach (var node in cluster.Nodes) await Stranger.GetsNothingAsync(node, cluster.Products > 1);
    }

    /// <summary>The allocations that counted last, one for each file.</summary>
    private static List<string> Tasks(TestCluster cluster) =>
        [.. from node in cluster.Nodes from file in Workload.CounterFiles(node) let last = Workload.Numbers(node, file)[^1] select $"{node.Name} {file} {last.AllocId}"];
}
