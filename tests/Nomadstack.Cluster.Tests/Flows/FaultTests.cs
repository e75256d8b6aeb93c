// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

// A class for each flow: classes run side by side.
public sealed class BootstrapFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task BootstrapSurvivesTheAgentsDeathAnywhere(string engine) => SweepOnOneAsync(engine, 1, async (cluster, fault) =>
    {
        var node = cluster.Nodes[0];
        var revival = new Revival(cluster, cluster.StartAgent(node, fault));
        await InTheEndAsync(cluster, node, cluster.BootstrapCommand);
        (await Invariants.HoldAsync(cluster, 1)).NodeIds.Count.ShouldBe(1);
        return revival;
    });
}

public sealed class JoinFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task JoinSurvivesTheAgentsDeathAnywhere(string engine) => SweepOnOneAsync(engine, 2, async (cluster, fault) =>
    {
        cluster.StartAgent(cluster.Nodes[0]);
        await cluster.BootstrapAsync(cluster.Nodes[0]);
        var revival = new Revival(cluster, await cluster.JoinAsync(cluster.Nodes[1], cluster.Nodes[0], fault), "--join", cluster.Nodes[0].Address, "--token-file", "/etc/nomadstack/token");
        // From the first node's side: a node whose agent is dead at this moment is a node all the same.
        await Eventually.NothingIsMissingAsync("two healthy nodes", TimeSpan.FromMinutes(3), async () =>
            await TestCluster.StatusAsync(cluster.Nodes[0]) is { Cluster.State: "healthy", Nodes: { Count: 2 } nodes } && nodes.All(node => node.Agent == "reachable") ? null : "one of them", cluster.Logs, Eventually.Unhurried);
        await Invariants.HoldAsync(cluster, 1);
        return revival;
    });
}

public sealed class HandOverFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task HandOverSurvivesTheDeathOfTheOldServersAgentAnywhere(string engine) => SweepOnOneAsync(engine, 2, async (cluster, fault) =>
    {
        await cluster.StartAllAsync();
        var (old, other) = (cluster.Nodes[0], cluster.Nodes[1]);
        await cluster.KillAgentAsync(old);
        var revival = new Revival(cluster, cluster.StartAgent(old, fault));
        await InTheEndAsync(cluster, other, "node", "drain", old.Name);
        await Eventually.NothingIsMissingAsync($"the servers are on {other.Name} alone", TimeSpan.FromMinutes(1), () =>
        {
            var servers = cluster.Nodes.SelectMany(EngineProcess.On).Where(process => process.Kind != EngineKind.Client).ToList();
            return Task.FromResult(servers.Count == cluster.Products && servers.TrueForAll(server => server.Node == other.Name && server.Kind == EngineKind.JobServer) ? null : string.Join(", ", servers));
        }, cluster.Logs);
        (await Evidence.CollectAsync(cluster)).NomadPeers.ShouldHaveSingleItem().Leader.ShouldBeTrue();
        return revival;
    });
}

public sealed class RotateFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task RotationSurvivesTheDeathOfTheAgentThatLeadsItAnywhere(string engine) => SweepCommandAsync(engine, ["rotate", "all"], secure: true);
}

public sealed class ClosingFaultTests(ITestOutputHelper output) : FaultSweep(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public Task ClosingSurvivesTheDeathOfTheAgentThatLeadsItAnywhere(string engine) => SweepCommandAsync(engine, ["secure"], secure: false, async cluster =>
    {
        foreach (var each in cluster.Nodes) await Stranger.GetsNothingAsync(each, cluster.Products > 1);
    });
}
