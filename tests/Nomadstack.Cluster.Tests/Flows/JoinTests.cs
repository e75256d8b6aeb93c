// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

[Collection(Timed.Name)]
public sealed class JoinTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task ThreeCommandsMakeAClusterOfThree()
    {
        await using var cluster = await MachinesAsync(3);
        var clock = Stopwatch.StartNew();

        await cluster.StartAllAsync();

        Say($"three nodes healthy after {clock.Elapsed.TotalSeconds:0.0} s");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(150));
        await cluster.RunWorkloadAsync();
        await Invariants.HoldAsync(cluster, 3);
    }

    [SkippableFact]
    public async Task TwoNodesRestWithOneVoter()
    {
        await using var cluster = await MachinesAsync(2, consul: false);
        cluster.StartAgent(cluster.Nodes[0]);
        await cluster.BootstrapAsync(cluster.Nodes[0], "--no-consul");
        var before = await Invariants.HoldAsync(cluster, 1);

        await cluster.JoinAsync(cluster.Nodes[1], cluster.Nodes[0]);

        var after = await Invariants.HoldAsync(cluster, 1, before);
        after.NodeIds.Count.ShouldBe(2);
        Invariants.SameServerProcesses(before, after);
    }

    [SkippableFact]
    public async Task RefusedJoinsAreAnsweredWithinTenSecondsAndChangeNothing()
    {
        await using var cluster = await MachinesAsync(3, consul: false);
        var first = cluster.Nodes[0];
        cluster.StartAgent(first);
        await cluster.BootstrapAsync(first, "--no-consul");
        var before = await Invariants.HoldAsync(cluster, 1);
        var good = await cluster.TokenAsync(first);
        var parts = good.Split('.'); // K1<ca hash>.<id>.<secret>

        var wrongSecret = await RefusedAsync(cluster, $"{parts[0]}.{parts[1]}.{Flip(parts[2])}");
        var wrongCa = await RefusedAsync(cluster, $"K1{Flip(parts[0][2..])}.{parts[1]}.{parts[2]}");
        var noToken = await RefusedAsync(cluster, "hello");

        new[] { wrongSecret, wrongCa, noToken }.Distinct().Count().ShouldBe(3, "each refusal has its own message");
        var after = await Invariants.HoldAsync(cluster, 1, before);
        after.NodeIds.Count.ShouldBe(1);
        (await TestCluster.StatusAsync(first)).Nodes.Count.ShouldBe(1);

        // And the same machine may join with the right one afterwards.
        await cluster.JoinAsync(cluster.Nodes[1], first);
        (await Invariants.HoldAsync(cluster, 1, before)).NodeIds.Count.ShouldBe(2);
    }

    private static string Flip(string text) => (text[0] == 'a' ? 'b' : 'a') + text[1..];

    private static async Task<string> RefusedAsync(TestCluster cluster, string token)
    {
        var node = cluster.Nodes[1];
        await TestCluster.WriteTokenAsync(node, token);
        var agent = cluster.StartAgent(node, more: ["--join", cluster.Nodes[0].Address, "--token-file", "/etc/nomadstack/token"]);
        (await agent.ExitAsync(TimeSpan.FromSeconds(10))).ShouldBeOneOf(1, 4);
        return agent.Text.Trim().Split('\n')[^1];
    }
}
