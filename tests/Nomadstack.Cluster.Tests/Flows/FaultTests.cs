// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>
/// The agent is killed before and after every effect of a flow, and comes back: the flow ends as if nothing had happened.
/// The points are those an undisturbed run passes. NOMADSTACK_FAULT_POINTS says how many are taken, by lot (a few every day, 1000 for all).
/// </summary>
public sealed class FaultTests(ITestOutputHelper output) : Scenario(output)
{
    private const string Trace = "trace:/srv/points"; // on the node's disk, so the test reads it there

    /// <summary>Clusters swept side by side; a bootstrap mostly waits.</summary>
    private static readonly int s_atOnce = Number("NOMADSTACK_FAULT_CLUSTERS", 2);

    private static readonly int s_points = Number("NOMADSTACK_FAULT_POINTS", 2);

    [SkippableFact]
    public Task BootstrapSurvivesTheAgentsDeathAnywhere() => SweepAsync(1, async (cluster, fault) =>
    {
        var node = cluster.Nodes[0];
        var agent = cluster.StartAgent(node, fault);
        if (!await AnswersAsync(cluster, node)) return agent; // died before it could be asked
        await TestCluster.RunAsync(node, TimeSpan.FromSeconds(120), "bootstrap"); // fails when the agent dies under it
        return agent;
    });

    [SkippableFact]
    public Task JoinSurvivesTheAgentsDeathAnywhere() => SweepAsync(2, async (cluster, fault) =>
    {
        cluster.StartAgent(cluster.Nodes[0]);
        await cluster.BootstrapAsync(cluster.Nodes[0]);
        return await cluster.JoinAsync(cluster.Nodes[1], cluster.Nodes[0], fault);
    });

    [SkippableFact]
    public Task HandOverSurvivesTheDeathOfTheOldServersAgentAnywhere() => SweepAsync(2, async (cluster, fault) =>
    {
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        await cluster.KillAgentAsync(node);
        var agent = cluster.StartAgent(node, fault);
        if (!await AnswersAsync(cluster, node)) return agent;
        await TestCluster.RunAsync(cluster.Nodes[1], TimeSpan.FromSeconds(120), "node", "drain", "n1");
        return agent;
    }, drains: true);

    private async Task SweepAsync(int nodes, Func<TestCluster, string, Task<LabProgram>> flow, bool drains = false)
    {
        IReadOnlyList<string> points;
        await using (var undisturbed = await MachinesAsync(nodes))
        {
            var traced = await flow(undisturbed, Trace);
            await EndsWellAsync(undisturbed, drains);
            points = [.. (await File.ReadAllLinesAsync(Path.Combine(traced.Node.Srv, "points"))).Distinct()];
        }

        points.ShouldNotBeEmpty("the flow has fault points");
        var dice = Dice();
        var lot = points.OrderBy(_ => dice.Next()).Take(s_points).ToList();
        Say($"{lot.Count} of {points.Count} points: {string.Join(", ", points)}");
        var died = 0;
        var bad = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(lot, new ParallelOptions { MaxDegreeOfParallelism = s_atOnce }, async (point, _) =>
        {
            await using var cluster = await MachinesAsync(nodes);
            try
            {
                var agent = await flow(cluster, point);
                if (await DiesAsync(agent))
                {
                    Interlocked.Increment(ref died);
                    cluster.StartAgent(agent.Node, more: agent.Node == cluster.Nodes[0] ? null : ["--join", cluster.Nodes[0].Address, "--token-file", "/etc/nomadstack/token"]);
                    if (agent.Node == cluster.Nodes[0] && !drains) await cluster.BootstrapAsync(agent.Node);
                }

                await EndsWellAsync(cluster, drains);
            }
            catch (Exception broken) when (broken is TimeoutException or InvalidOperationException or ShouldAssertException or AgentDiedException)
            {
                bad.Add($"Killed {point}, it did not end well: {broken.Message}");
            }
        });

        bad.ShouldBeEmpty(string.Join("\n\n", bad));
        Say($"{died} of {lot.Count} killed the agent, and all ended well");
        died.ShouldBePositive("at least one of the points was met");
    }

    private static async Task EndsWellAsync(TestCluster cluster, bool drained)
    {
        if (!drained)
        {
            (await Invariants.HoldAsync(cluster, 1)).NodeIds.Count.ShouldBe(cluster.Nodes.Count);
            return;
        }

        await Eventually.NothingIsMissingAsync("the servers are on n2 alone", TimeSpan.FromMinutes(2), () =>
        {
            var servers = cluster.Nodes.SelectMany(EngineProcess.On).Where(process => process.Kind != EngineKind.Client).ToList();
            return Task.FromResult(servers.Count == 2 && servers.TrueForAll(server => server is { Node: "n2", Kind: EngineKind.JobServer }) ? null : string.Join(", ", servers));
        }, cluster.Logs);
        var peers = (await Evidence.CollectAsync(cluster)).NomadPeers;
        peers.ShouldHaveSingleItem().Leader.ShouldBeTrue();
    }

    private static async Task<bool> AnswersAsync(TestCluster cluster, LabNode node)
    {
        try
        {
            await cluster.AgentAnswersAsync(node);
            return true;
        }
        catch (AgentDiedException)
        {
            return false;
        }
    }

    private static async Task<bool> DiesAsync(LabProgram agent)
    {
        try
        {
            return await agent.ExitAsync(TimeSpan.FromSeconds(60)) == 137;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
