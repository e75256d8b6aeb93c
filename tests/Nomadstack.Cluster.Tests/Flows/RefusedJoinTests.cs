// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

[Collection(Timed.Name)]
public sealed class RefusedJoinTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task RefusedJoinsAreAnsweredWithinTenSecondsAndChangeNothing()
    {
        await using var cluster = await MachinesAsync(3, consul: false);
        var first = cluster.Nodes[0];
        cluster.StartAgent(first);
        await cluster.BootstrapAsync(first);
        var before = await Invariants.HoldAsync(cluster, 1);
        var good = await cluster.TokenAsync(first);
        var parts = good.Split('.'); // K1<ca hash>.<id>.<secret>

        var wrongSecret = await RefusedAsync(cluster, $"{parts[0]}.{parts[1]}.{Flip(parts[2])}");
        var wrongCa = await RefusedAsync(cluster, $"K1{Flip(parts[0][2..])}.{parts[1]}.{parts[2]}");
        var noToken = await RefusedAsync(cluster, "hello");
        var sameName = await RefusedAsync(cluster, good, "--name", first.Name);

        new[] { wrongSecret, wrongCa, noToken, sameName }.Distinct().Count().ShouldBe(4, "each refusal has its own message");
        sameName.ShouldContain(first.Name);
        var after = await Invariants.HoldAsync(cluster, 1, before);
        after.NodeIds.Count.ShouldBe(1);
        (await TestCluster.StatusAsync(first)).Nodes.Count.ShouldBe(1);

        // And the same machine may join with the right one afterwards. Two nodes rest with one voter, and its server is not touched.
        await cluster.JoinAsync(cluster.Nodes[1], first);
        var two = await Invariants.HoldAsync(cluster, 1, before);
        two.NodeIds.Count.ShouldBe(2);
        Invariants.SameServerProcesses(before, two);

        await ACopyOfItsDataFolderIsRefusedAsync(cluster, cluster.Nodes[1], cluster.Nodes[2]);
        await WithAnEmptyDataFolderItMakesNoSecondClusterAsync(cluster, cluster.Nodes[1], before.ClusterId);
        EngineProcess.On(first).Where(process => process.Kind == EngineKind.JobServer).Select(process => process.Process.Pid).ShouldBe(before.Servers.Select(server => server.Process.Pid));
    }

    private static async Task ACopyOfItsDataFolderIsRefusedAsync(TestCluster cluster, LabNode original, LabNode other)
    {
        await Command.MustAsync("cp", "-a", original.Data + "/.", other.Data);

        var copy = cluster.StartAgent(other);

        (await copy.ExitAsync(TimeSpan.FromSeconds(10))).ShouldBe(4);
        copy.Text.ShouldContain("copy");
        copy.Text.ShouldContain(original.Address);
        EngineProcess.On(other).ShouldBeEmpty();
    }

    private static async Task WithAnEmptyDataFolderItMakesNoSecondClusterAsync(TestCluster cluster, LabNode node, string clusterId)
    {
        await node.WipeAsync();
        await cluster.PowerOnAsync(node);
        await cluster.AgentAnswersAsync(node);

        var bootstrap = await TestCluster.RunAsync(node, TimeSpan.FromSeconds(30), "bootstrap", "--no-consul");

        bootstrap.ExitCode.ShouldBe(4, bootstrap.ToString());
        bootstrap.Stderr.ShouldContain(clusterId);
        EngineProcess.On(node).ShouldBeEmpty();
        File.Exists(Path.Combine(node.Data, "cluster.json")).ShouldBeFalse();
    }

    private static string Flip(string text) => (text[0] == 'a' ? 'b' : 'a') + text[1..];

    private static async Task<string> RefusedAsync(TestCluster cluster, string token, params string[] more)
    {
        var node = cluster.Nodes[1];
        await TestCluster.WriteTokenAsync(node, token);
        var agent = cluster.StartAgent(node, more: ["--join", cluster.Nodes[0].Address, "--token-file", "/etc/nomadstack/token", .. more]);
        (await agent.ExitAsync(TimeSpan.FromSeconds(10))).ShouldBeOneOf(1, 4);
        return string.Join('\n', agent.Text.Trim().Split('\n').TakeLast(3)); // what, why, fix
    }
}
