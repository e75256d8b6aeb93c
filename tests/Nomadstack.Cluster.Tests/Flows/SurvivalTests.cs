// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Whatever of ours or Nomad's is killed on a node, its servers neither stop nor restart, and no allocation notices.</summary>
[Collection(OnThreeNodes.Name)]
public sealed class SurvivalTests(ThreeNodes three, ITestOutputHelper output) : Scenario(output)
{
    [SkippableTheory]
    [InlineData("agent")]
    [InlineData("client")]
    [InlineData("plugin")]
    [InlineData("agent", "client")]
    [InlineData("agent", "plugin")]
    [InlineData("client", "plugin")]
    public async Task NoServerStopsWhenKilled(params string[] what)
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        var node = cluster.Nodes[^1];

        var victims = what.SelectMany(name => Victims(cluster, node, name)).ToList();
        victims.ShouldNotBeEmpty();
        foreach (var victim in victims) victim.Signal(NodeProcess.Kill);
        await Eventually.TrueAsync($"{string.Join(" and ", what)} gone", TimeSpan.FromSeconds(5), () => Task.FromResult(victims.TrueForAll(victim => !victim.Alive)));
        if (what.Contains("agent"))
        {
            await cluster.Agent(node).ExitAsync(TimeSpan.FromSeconds(5));
            EngineProcess.On(node).Where(process => process.Kind == EngineKind.JobServer).Count().ShouldBe(2, "servers outlive the agent");
            cluster.StartAgent(node);
        }

        await Eventually.NothingIsMissingAsync($"the client and the plugin of {node.Name} are back", TimeSpan.FromSeconds(60), () =>
            Task.FromResult(Victims(cluster, node, "client").Any() && Victims(cluster, node, "plugin").Any() ? null : "one of them"), cluster.Logs);
        await SettledAsync(cluster, node, before);
        var after = await Invariants.HoldAsync(cluster, 3, before);
        Invariants.SameServerProcesses(before, after);
        Invariants.SameAllocations(before, after);
        Invariants.NothingRestarted(before, after);
    }

    [SkippableFact]
    public async Task AnAgentStoppedInOrderLeavesItsServersRunning()
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        var node = cluster.Nodes[0];

        await cluster.Agent(node).KillAsync(NodeProcess.Term, TimeSpan.FromSeconds(20));
        cluster.StartAgent(node);

        await SettledAsync(cluster, node, before);
        var after = await Invariants.HoldAsync(cluster, 3, before);
        Invariants.SameServerProcesses(before, after);
        Invariants.SameAllocations(before, after);
        Invariants.NothingRestarted(before, after);
    }

    [SkippableFact]
    public async Task ASecondAgentOnTheSameFolderNamesTheFirstAndGoes()
    {
        await NeedsAsync();
        var cluster = await three.BorrowAsync();
        var node = cluster.Nodes[0];
        var owner = cluster.Agent(node).Process!;

        var second = await node.ExecAsync(["nomadstack", "agent", "--data-dir", TestCluster.DataFolder, "--bind", node.Address], TimeSpan.FromSeconds(10));

        second.ExitCode.ShouldBeOneOf(1, 4);
        second.Stderr.ShouldContain(owner.InnerPid.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await Invariants.HoldAsync(cluster, 3);
    }

    /// <summary>The client has talked to a server since, so a bad end would show in the allocations by now.</summary>
    private static async Task SettledAsync(TestCluster cluster, LabNode node, Evidence before)
    {
        await Eventually.NothingIsMissingAsync($"a heartbeat of {node.Name}", TimeSpan.FromSeconds(60), async () =>
            await TestCluster.Nomad(node).LastHeartbeatAsync() is { } age && age < TimeSpan.FromSeconds(30) ? null : "a heartbeat", cluster.Logs);
        await Eventually.NothingIsMissingAsync("the allocations run", TimeSpan.FromSeconds(30), async () =>
            (await Evidence.CollectAsync(cluster)).Running.Count() is var running && running == before.Running.Count() ? null : $"{running} of {before.Running.Count()}", cluster.Logs);
    }

    private static IEnumerable<NodeProcess> Victims(TestCluster cluster, LabNode node, string name) => name switch
    {
        "agent" => cluster.Agent(node).Process is { } agent ? [agent] : [],
        "client" => EngineProcess.On(node).Where(process => process is { Kind: EngineKind.Client, Product: "nomad" }).Select(process => process.Process),
        _ => node.Pids().Where(process => process.CommandLine.Contains("/lifelines/", StringComparison.Ordinal)),
    };
}
