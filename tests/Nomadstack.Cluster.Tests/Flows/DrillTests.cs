// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Disasters are rehearsed beside a cluster that notices nothing.</summary>
public sealed class DrillTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(4);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task EachDrillLosesNothingAndLeavesNothing(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 1, secure: true);
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        var before = await TestCluster.StatusAsync(node);

        foreach (var what in new[] { "restore", "power-cut", "lost-quorum" })
        {
            var report = JsonDocument.Parse(await cluster.MustAsync(node, s_deadline, "drill", what, "--json")).RootElement;
            report.GetProperty("passed").GetBoolean().ShouldBeTrue();
            foreach (var product in report.GetProperty("products").EnumerateArray())
            {
                Say($"{engine} {what}: {product}");
                product.GetProperty("leaderSeconds").GetDouble().ShouldBeGreaterThan(0);
                product.GetProperty("counts").EnumerateArray().Select(c => c.GetProperty("kind").GetString()).ShouldContain((engine, what) == (Embedded, "restore") ? "jobs" : "index");
            }

            NothingIsLeft(node);
        }

        // The job of the servers, and the note of the cluster's past at least.
        var text = await cluster.MustAsync(node, s_deadline, "drill", "restore");
        text.ShouldContain("restore: nothing was lost");
        text.ShouldContain("jobs");
        var after = await TestCluster.StatusAsync(node);
        after.Cluster.State.ShouldBe("healthy");
        after.Servers.ShouldBe(before.Servers, "the same servers, as the same processes");
    }

    [SkippableFact]
    public async Task AnAgentThatWasKilledInADrillRemovesItAtItsNextStart()
    {
        await using var cluster = await MachinesWithAsync(Embedded, 1, secure: true);
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        var drill = TestCluster.RunAsync(node, s_deadline, "drill", "power-cut");
        await Eventually.NothingIsMissingAsync("a drill's server runs", TimeSpan.FromSeconds(60), () => Task.FromResult(Left(node).Any(l => l.EndsWith("drill-nomad-1.json", StringComparison.Ordinal)) ? null : "its record"), cluster.Logs);

        await cluster.KillAgentAsync(node);
        (await drill).ExitCode.ShouldNotBe(0);
        cluster.StartAgent(node);

        await Eventually.NothingIsMissingAsync("what was left is gone", TimeSpan.FromSeconds(60), () => Task.FromResult(Left(node) is [] ? null : string.Join(", ", Left(node))), cluster.Logs);
        await cluster.HealthyAsync(1, TimeSpan.FromSeconds(60));
        (await cluster.MustAsync(node, TimeSpan.FromSeconds(30), "timeline", "--kind", "operation.failed")).ShouldContain("The drill was interrupted.");
    }

    private static void NothingIsLeft(LabNode node) => Left(node).ShouldBeEmpty();

    /// <summary>The folder of a drill, and the records of its processes.</summary>
    private static List<string> Left(LabNode node)
    {
        var data = node.Data;
        return [.. Directory.GetFiles(Path.Combine(data, "processes"), "drill-*"), .. Directory.Exists(Path.Combine(data, "drill")) ? [Path.Combine(data, "drill")] : Array.Empty<string>()];
    }
}
