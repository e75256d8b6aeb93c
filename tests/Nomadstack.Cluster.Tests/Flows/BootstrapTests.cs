// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

[Collection(Timed.Name)]
public sealed class BootstrapTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task OneCommandMakesAClusterOfOneWithinAMinute()
    {
        await using var cluster = await MachinesAsync(1);
        var node = cluster.Nodes[0];
        var clock = Stopwatch.StartNew();

        cluster.StartAgent(node);
        await cluster.BootstrapAsync(node);
        await cluster.HealthyAsync(1, TimeSpan.FromSeconds(60));

        Say($"one node healthy after {clock.Elapsed.TotalSeconds:0.0} s");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60));
        var first = await Invariants.HoldAsync(cluster, 1);

        // Asked again, it says so and changes nothing.
        await cluster.BootstrapAsync(node);
        var second = await Invariants.HoldAsync(cluster, 1, first);
        Invariants.SameAllocations(first, second);
        Invariants.SameServerProcesses(first, second);
    }
}
