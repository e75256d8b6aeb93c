// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>A cluster that nobody asked to be open.</summary>
public sealed class SecureTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task ItIsClosedToStrangersAndEverythingInItWorksAfterThePowerOfAllNodesReturns(string engine)
    {
        await NotTwiceEveryDayAsync(engine);
        await using var cluster = await MachinesWithAsync(engine, 3, secure: true);
        using var made = new CancellationTokenSource();
        var race = Stranger.RaceAsync(cluster.Nodes[0], made.Token);
        await cluster.StartAllAsync();
        await made.CancelAsync();
        (await race).ShouldBeEmpty("a stranger was faster than the agent");
        // The task that writes to Nomad is a tool like any other: it is let in with a folder that an operator made for it.
        foreach (var node in cluster.Nodes) await cluster.LetWriterInAsync(node);
        await cluster.RunWorkloadAsync();
        foreach (var node in cluster.Nodes) await Stranger.GetsNothingAsync(node, cluster.Products > 1);
        await CredentialsLetInAsync(cluster, engine);

        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        await Task.WhenAll(cluster.Nodes.Select(cluster.PowerOnAsync));

        await Eventually.NothingIsMissingAsync("the workload runs", TimeSpan.FromSeconds(120), () =>
            Task.FromResult(Workload.RunningSinceBoot(cluster.Nodes) is var running and < Workload.Tasks ? $"{Workload.Tasks - running} tasks" : null), cluster.Logs);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(60));
        foreach (var node in cluster.Nodes) await Stranger.GetsNothingAsync(node, cluster.Products > 1);
    }

    /// <summary>The folder that an operator makes for a colleague works with a plain HTTP tool, and what its role does not allow is refused.</summary>
    private static async Task CredentialsLetInAsync(TestCluster cluster, string engine)
    {
        var node = cluster.Nodes[0];
        await cluster.MustAsync(node, TimeSpan.FromSeconds(30), "credentials", "create", "alice", "--role", "read", "--out", "/srv/alice");
        const string Curl = ". /srv/alice/env && curl -s -o /dev/null -w '%{http_code}' --cacert \"$NOMAD_CACERT\" --cert \"$NOMAD_CLIENT_CERT\" --key \"$NOMAD_CLIENT_KEY\" -H \"X-Nomad-Token: $NOMAD_TOKEN\"";
        (await node.ExecAsync(["bash", "-c", Curl + " \"$NOMAD_ADDR/v1/jobs\""])).Stdout.Trim().ShouldBe("200", engine);
        (await node.ExecAsync(["bash", "-c", Curl + " -X PUT \"$NOMAD_ADDR/v1/system/gc\""])).Stdout.Trim().ShouldBe("403", engine);
    }
}
