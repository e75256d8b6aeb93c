// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The power of the whole room goes. NOMADSTACK_COLD_BOOTS sets how often (20 is the bar, 2 every day).</summary>
[Collection(OnThreeNodes.Name)]
public sealed class ColdBootTests(ThreeNodes three, ITestOutputHelper output) : Scenario(output)
{
    private static readonly int s_rounds = Number("NOMADSTACK_COLD_BOOTS", 2);

    [SkippableFact]
    public async Task EverythingIsAsItWasAfterThePowerOfAllNodesReturns()
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var dice = Dice();
        var before = await Invariants.HoldAsync(cluster, 3);

        for (var round = 1; round <= s_rounds; round++)
        {
            var cut = await CutAsync(cluster, dice, apart: round % 2 == 0);
            var order = cluster.Nodes.ToArray();
            dice.Shuffle(order);
            var pauses = order.Select(_ => TimeSpan.FromSeconds(dice.NextDouble() * 20)).Order().ToArray();
            Say($"round {round}: {string.Join(", ", order.Select((node, i) => $"{node.Name} at {(pauses[i] - pauses[0]).TotalSeconds:0.0} s"))}");

            await Task.WhenAll(order.Select(async (node, i) =>
            {
                await Task.Delay(pauses[i] - pauses[0]);
                await cluster.PowerOnAsync(node);
            }));

            var last = Stopwatch.StartNew();
            await Eventually.NothingIsMissingAsync("the workload runs", TimeSpan.FromSeconds(120), () =>
                Task.FromResult(Workload.RunningSinceBoot(cluster.Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null), cluster.Logs);
            Say($"round {round}: all running {last.Elapsed.TotalSeconds:0.0} s after the last node's power");
            var after = await Invariants.HoldAsync(cluster, 3, before);
            Invariants.SameAllocations(before, after);
            CountedUntil(cut, cluster.Nodes);
        }
    }

    [SkippableFact]
    public async Task WithoutAQuorumItSaysSoAndWaitsAndGoesOnWhenTheOthersReturn()
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));

        await cluster.PowerOnAsync(cluster.Nodes[0]);

        await cluster.StateAsync(cluster.Nodes[0], "no-quorum", TimeSpan.FromSeconds(60));
        var alone = await TestCluster.StatusAsync(cluster.Nodes[0]);
        alone.Cluster.Reason.ShouldContain("n2");
        alone.Cluster.Reason.ShouldContain("n3");
        cluster.Agent(cluster.Nodes[0]).HasExited.ShouldBeFalse();
        EngineProcess.On(cluster.Nodes[0]).ShouldNotContain(process => process.Product == "nomad" && process.Kind == EngineKind.Client, "no client before the gate");

        await cluster.PowerOnAsync(cluster.Nodes[1]);
        await cluster.PowerOnAsync(cluster.Nodes[2]);
        Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 3, before));
    }

    [SkippableFact]
    public async Task TwoOfThreeNodesAreEnoughAndTheThirdFindsItsPlaceLater()
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));

        await Task.WhenAll(cluster.Nodes.Take(2).Select(cluster.PowerOnAsync));

        await cluster.StateAsync(cluster.Nodes[0], "degraded", TimeSpan.FromSeconds(60));
        await Eventually.NothingIsMissingAsync("a leader", TimeSpan.FromSeconds(30), async () => await TestCluster.Nomad(cluster.Nodes[0]).LeaderAsync() is null ? "a leader" : null, cluster.Logs);
        await cluster.PowerOnAsync(cluster.Nodes[2]);
        Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 3, before));
    }

    private static async Task<Dictionary<string, double>> CutAsync(TestCluster cluster, Random dice, bool apart)
    {
        var cut = new Dictionary<string, double>();
        await Task.WhenAll(cluster.Nodes.Select(async node =>
        {
            await Task.Delay(TimeSpan.FromSeconds(apart ? dice.NextDouble() * 3 : 0));
            var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0;
            await node.PowerOffAsync();
            lock (cut) cut[node.Name] = now;
        }));
        return cut;
    }

    /// <summary>Every counter counted until its node's power was cut, and went on with the next number: nothing synced was lost or counted twice.</summary>
    private static void CountedUntil(Dictionary<string, double> cut, IReadOnlyList<LabNode> nodes)
    {
        foreach (var node in nodes)
        {
            foreach (var file in Workload.CounterFiles(node))
            {
                var numbers = Workload.Numbers(node, file);
                for (var i = 1; i < numbers.Count; i++) numbers[i].Number.ShouldBe(numbers[i - 1].Number + 1, $"{node.Name} {file}, line {i + 1}");
                var last = numbers.Last(number => number.At <= cut[node.Name] + 0.05);
                (cut[node.Name] - last.At).ShouldBeLessThan(1.0, $"{node.Name} {file} stopped at {last} before the power was cut");
            }
        }
    }
}
