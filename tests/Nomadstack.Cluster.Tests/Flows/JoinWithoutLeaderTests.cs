// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

public sealed class JoinWithoutLeaderTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task AJoinWhileThereIsNoLeaderSaysSoAndEndsWhenThereIsOne()
    {
        await using var cluster = await MachinesAsync(2, consul: false);
        var (first, second) = (cluster.Nodes[0], cluster.Nodes[1]);
        cluster.StartAgent(first);
        await cluster.BootstrapAsync(first);
        var before = await Invariants.HoldAsync(cluster, 1);
        var server = EngineProcess.On(first).Single(process => process.Kind == EngineKind.JobServer).Process;
        server.Signal(NodeProcess.Stop);

        await cluster.JoinAsync(second, first);

        await cluster.AgentAnswersAsync(second);
        await cluster.StateAsync(second, "no-quorum", TimeSpan.FromSeconds(30));
        (await TestCluster.StatusAsync(second)).Cluster.Reason.ShouldContain(first.Name);
        EngineProcess.On(second).ShouldBeEmpty("no client before the gate");

        server.Signal(NodeProcess.Continue);
        var after = await Invariants.HoldAsync(cluster, 1, before);
        after.NodeIds.Count.ShouldBe(2);
        Invariants.SameServerProcesses(before, after);
    }
}
