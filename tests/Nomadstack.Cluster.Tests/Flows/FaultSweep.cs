// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>
/// The agent is killed before and after every effect of a flow, and comes back: the flow ends as if nothing had happened.
/// The points are those an undisturbed run passes. NOMADSTACK_FAULT_POINTS says how many are taken, by lot (a few every day, 1000 for all).
/// </summary>
public abstract class FaultSweep(ITestOutputHelper output) : Scenario(output)
{
    private const string Trace = "trace:/srv/points"; // on the node's disk, so the test reads it there

    /// <summary>Clusters swept side by side, for a sweep by itself: a bootstrap mostly waits.</summary>
    private static readonly int s_atOnce = Number("NOMADSTACK_FAULT_CLUSTERS", 1);

    /// <summary>A snapshot is taken beside everything else, a moment earlier or later: its points are no part of another flow.</summary>
    private static bool IsOfASnapshot(string point) => new[] { "save-", "write-snapshot", "keep-snapshot", "copy-snapshot", "start-throw-away-" }.Any(of => point.Contains(of, StringComparison.Ordinal));

    private static readonly int s_points = Number("NOMADSTACK_FAULT_POINTS", 1);

    /// <param name="engine">What the nodes run on.</param>
    /// <param name="flow">Runs to its end, whatever the fault does to the agent meanwhile.</param>
    /// <param name="secure">Whether the cluster is made closed.</param>
    /// <param name="snapshots">The flow is about snapshots.</param>
    private protected async Task SweepAsync(string engine, int nodes, Func<TestCluster, string, Task<Revival>> flow, bool secure = false, bool snapshots = false)
    {
        IReadOnlyList<string> points;
        await using (var undisturbed = await MachinesWithAsync(engine, nodes, secure))
        {
            var traced = await flow(undisturbed, Trace);
            points = [.. (await File.ReadAllLinesAsync(Path.Combine(traced.Agent.Node.Srv, "points"))).Distinct().Where(point => snapshots || !IsOfASnapshot(point))];
        }

        points.ShouldNotBeEmpty("the flow has fault points");
        var dice = Dice();
        var lot = points.OrderBy(_ => dice.Next()).Take(s_points).ToList();
        Say($"{engine}: {lot.Count} of {points.Count} points: {string.Join(", ", points)}");
        var (missed, bad) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
        await Parallel.ForEachAsync(lot, new ParallelOptions { MaxDegreeOfParallelism = s_atOnce }, async (point, _) =>
        {
            await using var cluster = await MachinesWithAsync(engine, nodes, secure);
            try
            {
                var revival = await flow(cluster, point);
                if (!revival.Needed) missed.Add(point);
            }
            catch (Exception broken) when (broken is TimeoutException or InvalidOperationException or ShouldAssertException or AgentDiedException)
            {
                bad.Add($"Killed {point}, it did not end well: {broken.Message}");
            }
        });

        bad.ShouldBeEmpty(string.Join("\n\n", bad));
        Say($"{lot.Count - missed.Count} of {lot.Count} killed the agent, and all ended well; not met: {string.Join(", ", missed)}");
        // What a flow waits for decides which way it takes, so a point may be passed by; a sweep that meets few is no sweep.
        missed.Count.ShouldBeLessThanOrEqualTo(lot.Count / 2, "most points are met");
    }

    /// <summary>The same, every day on one engine alone.</summary>
    private protected async Task SweepOnOneAsync(string engine, int nodes, Func<TestCluster, string, Task<Revival>> flow)
    {
        await NotTwiceEveryDayAsync(engine);
        await SweepAsync(engine, nodes, flow);
    }

    /// <summary>Sweeps what the agent of one of two nodes leads when it is asked by a command. No allocation is replaced by it.</summary>
    /// <param name="holds">What holds afterwards besides.</param>
    private protected Task SweepCommandAsync(string engine, string[] command, bool secure, Func<TestCluster, Task>? holds = null)
    {
        if (engine == Nomad) OnlyInLongRuns();
        return SweepAsync(engine, 2, async (cluster, fault) =>
        {
            await cluster.StartAllAsync();
            var before = await Invariants.HoldAsync(cluster, 1);
            var node = cluster.Nodes[0];
            await cluster.KillAgentAsync(node);
            var revival = new Revival(cluster, cluster.StartAgent(node, fault));
            await cluster.AgentAnswersAsync(node);
            await InTheEndAsync(cluster, node, command);
            await cluster.HealthyAsync(1, TimeSpan.FromMinutes(1));
            Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 1));
            if (holds is not null) await holds(cluster);
            return revival;
        }, secure);
    }

    /// <summary>Repeats a command until it succeeds, as an operator does whose agent died under it.</summary>
    private protected static Task InTheEndAsync(TestCluster cluster, LabNode node, params string[] command) =>
        Eventually.NothingIsMissingAsync(string.Join(' ', command), TimeSpan.FromMinutes(4), async () =>
            await TestCluster.RunAsync(node, TimeSpan.FromMinutes(3), command) is { ExitCode: not 0 } output ? output.ToString() : null, cluster.Logs, Eventually.Unhurried);

    /// <summary>An init system of one restart: starts the agent again, without its fault, when that killed it.</summary>
    private protected sealed class Revival
    {
        private volatile bool _needed;

        public Revival(TestCluster cluster, LabProgram agent, params string[] more)
        {
            Agent = agent;
            agent.OnExit(code =>
            {
                if (code != 137 || cluster.IsOver) return;
                _needed = true;
                cluster.StartAgent(agent.Node, more: more);
            });
        }

        public LabProgram Agent { get; }

        public bool Needed => _needed;
    }
}
