// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

[Collection(OnOneNode.Name)]
public sealed class WithoutConsulTests(OneNode one, ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task ItWorksWithoutConsul()
    {
        await NeedsAsync(consul: false);
        var cluster = await one.BorrowAsync();

        var evidence = await Invariants.HoldAsync(cluster, 1);
        evidence.Processes.ShouldAllBe(process => process.Product == "nomad");
        (await TestCluster.StatusAsync(cluster.Nodes[0])).HasConsul.ShouldBeFalse();
    }

    [SkippableFact]
    public async Task TheNomadCommandAndTheServersLogWork()
    {
        await NeedsAsync(consul: false);
        var cluster = await one.BorrowAsync();
        var node = cluster.Nodes[0];
        await cluster.HealthyAsync(1, TimeSpan.FromSeconds(60));

        (await cluster.MustAsync(node, TimeSpan.FromSeconds(20), "nomad", "server", "members")).ShouldContain("alive");
        var server = (await Evidence.CollectAsync(cluster)).Running.Single(allocation => allocation.Job == "nomad-server");
        var log = await cluster.MustAsync(node, TimeSpan.FromSeconds(20), "nomad", "alloc", "logs", server.Id);
        var errors = await cluster.MustAsync(node, TimeSpan.FromSeconds(20), "nomad", "alloc", "logs", "-stderr", server.Id);
        (log + errors).ShouldContain("Nomad agent started");
    }
}
