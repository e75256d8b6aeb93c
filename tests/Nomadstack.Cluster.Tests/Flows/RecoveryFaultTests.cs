// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The agent dies in the middle of what brings a cluster back.</summary>
public sealed class RecoveryFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    private static readonly TimeSpan s_command = TimeSpan.FromMinutes(2);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task GivingUpAMajoritySurvivesTheDeathOfTheSurvivorsAgentAnywhere(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        return SweepAsync(engine, 3, async (cluster, fault) =>
        {
            await cluster.StartAllAsync();
            var survivor = cluster.Nodes[0];
            var writes = await MarkerJobs.ManyAsync(cluster, survivor, "before");
            await Task.WhenAll(cluster.Nodes.Skip(1).Select(node => node.WipeAsync()));
            await cluster.StateAsync(survivor, "no-quorum", TimeSpan.FromSeconds(60));
            await cluster.KillAgentAsync(survivor);
            var revival = new Revival(cluster, cluster.StartAgent(survivor, fault));
            await cluster.AgentAnswersAsync(survivor);
            await Eventually.NothingIsMissingAsync("the majority is given up", TimeSpan.FromMinutes(3), async () =>
                await TestCluster.RunAsync(survivor, s_command, "recover", "--accept-data-loss", "n2", "n3", "--yes") is { ExitCode: not 0 } said && !said.Stderr.Contains("it has a leader", StringComparison.Ordinal) ? said.ToString() : null, cluster.Logs, Eventually.Unhurried);
            await MarkerJobs.OneAsync(cluster, survivor, "after");
            writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(survivor));
            return revival;
        });
    }

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task NewAddressesAreTakenWhereverAnAgentDies(string engine)
    {
        OnlyInLongRuns();
        return SweepAsync(engine, 3, async (cluster, fault) =>
        {
            await cluster.StartAllAsync();
            await cluster.RunWorkloadAsync();
            var before = await Invariants.HoldAsync(cluster, 3);
            await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
            foreach (var (node, address) in cluster.Nodes.Zip((int[])[31, 32, 33])) await node.ReaddressAsync(address);
            await cluster.Nodes[0].PowerOnAsync();
            var revival = new Revival(cluster, cluster.StartAgent(cluster.Nodes[0], fault));
            await Task.WhenAll(cluster.Nodes.Skip(1).Select(cluster.PowerOnAsync));
            await cluster.HealthyAsync(3, TimeSpan.FromMinutes(3));
            Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 3, before));
            return revival;
        }, secure: true);
    }

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task ABlankMachineBecomesTheClusterWhereverItsAgentDies(string engine)
    {
        OnlyInLongRuns();
        return SweepAsync(engine, 1, async (cluster, fault) =>
        {
            await cluster.StartAllAsync();
            var node = cluster.Nodes[0];
            var writes = await MarkerJobs.ManyAsync(cluster, node, "before");
            await cluster.MustAsync(node, s_command, "snapshot", "save", "--output", "/srv/archive");
            var (archive, key) = (await File.ReadAllBytesAsync(Path.Combine(node.Srv, "archive")), await cluster.MustAsync(node, s_command, "snapshot", "key"));
            await node.WipeAsync();
            await node.PowerOnAsync();
            await File.WriteAllBytesAsync(Path.Combine(node.Srv, "archive"), archive);
            await File.WriteAllTextAsync(Path.Combine(node.Srv, "key"), key);
            var revival = new Revival(cluster, cluster.StartAgent(node, fault));
            await cluster.AgentAnswersAsync(node);
            await InTheEndAsync(cluster, node, "restore", "/srv/archive", "--key", "/srv/key");
            await cluster.HealthyAsync(1, TimeSpan.FromMinutes(3));
            await Invariants.HoldAsync(cluster, 1);
            writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(node));
            return revival;
        }, secure: true);
    }

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task ASnapshotIsTakenAndRestoredWhereverTheAgentDies(string engine)
    {
        OnlyInLongRuns();
        return SweepAsync(engine, 1, async (cluster, fault) =>
        {
            await cluster.StartAllAsync();
            var node = cluster.Nodes[0];
            var writes = await MarkerJobs.ManyAsync(cluster, node, "before");
            await cluster.KillAgentAsync(node);
            var revival = new Revival(cluster, cluster.StartAgent(node, fault));
            await cluster.AgentAnswersAsync(node);
            await InTheEndAsync(cluster, node, "snapshot", "save", "--output", "/srv/archive");
            await MarkerJobs.OneAsync(cluster, node, "later");
            await InTheEndAsync(cluster, node, "snapshot", "restore", "/srv/archive", "--yes");
            await cluster.HealthyAsync(1, TimeSpan.FromMinutes(2));
            await Eventually.TrueAsync("what came later is gone", TimeSpan.FromMinutes(1), async () => !(await MarkerJobs.SeenAsync(node)).Contains("later"), cluster.Logs);
            writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(node));
            await Invariants.HoldAsync(cluster, 1);
            return revival;
        }, secure: true, snapshots: true);
    }
}
