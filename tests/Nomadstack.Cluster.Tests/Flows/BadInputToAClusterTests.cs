// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>What can be wrong where a cluster is: it is answered in words, and the cluster goes on as it was.</summary>
[Collection(OnOneNode.Name)]
public sealed class BadInputToAClusterTests(OneNode one, ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task ASecondBootstrapChangesNothing()
    {
        var (cluster, node, before) = await BorrowAsync();

        await cluster.MustAsync(node, TimeSpan.FromSeconds(30), "bootstrap");

        var after = await Invariants.HoldAsync(cluster, 1, before);
        Invariants.SameServerProcesses(before, after);
        Invariants.SameAllocations(before, after);
    }

    [SkippableTheory]
    [InlineData("node.json")]
    [InlineData("cluster.json")]
    public async Task ATornFileIsNamedAndLeftAlone(string name)
    {
        var (cluster, node, before) = await BorrowAsync();
        await node.PowerOffAsync();
        var file = Path.Combine(node.Data, name);
        var good = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, good[..(good.Length / 2)]);
        await node.PowerOnAsync();

        var refusal = await RefusalAsync(cluster, node);

        refusal.ShouldContain(name);
        (await File.ReadAllTextAsync(file)).ShouldBe(good[..(good.Length / 2)]);
        await File.WriteAllTextAsync(file, good);
        cluster.StartAgent(node);
        Invariants.SameAllocations(before, await Invariants.HoldAsync(cluster, 1, before));
    }

    [SkippableFact]
    public async Task AnUnknownRoleInAJobFailsThatTaskAloneAndSaysWhy()
    {
        var (cluster, node, before) = await BorrowAsync();
        await File.WriteAllTextAsync(Path.Combine(node.Srv, "bad.nomad"), """
            job "bad" {
              datacenters = ["dc1"]
              group "bad" {
                restart {
                  attempts = 0
                  mode     = "fail"
                }
                reschedule {
                  attempts  = 0
                  unlimited = false
                }
                task "bad" {
                  driver = "nomadstack"
                  config {
                    role = "teapot"
                  }
                }
              }
            }
            """);

        await TestCluster.RunAsync(node, TimeSpan.FromSeconds(30), "job", "run", "--detach", "/srv/bad.nomad");

        await Eventually.NothingIsMissingAsync("the task's event names the role", TimeSpan.FromSeconds(30), async () =>
            (await TestCluster.Nomad(node).GetAsync("/v1/job/bad/allocations")).ToString().Contains("teapot", StringComparison.Ordinal) ? null : "the event", cluster.Logs);
        var after = await Invariants.HoldAsync(cluster, 1, before);
        Invariants.SameServerProcesses(before, after);
    }

    private async Task<(TestCluster Cluster, LabNode Node, Evidence Before)> BorrowAsync()
    {
        await NeedsAsync(consul: false);
        var cluster = await one.BorrowAsync();
        return (cluster, cluster.Nodes[0], await Invariants.HoldAsync(cluster, 1));
    }
}
