// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

[Collection(Timed.Name)]
public sealed class JoinTests(ITestOutputHelper output) : Scenario(output)
{
    [SkippableFact]
    public async Task ThreeCommandsMakeAClusterOfThree()
    {
        await using var cluster = await MachinesAsync(3);
        var clock = Stopwatch.StartNew();

        await cluster.StartAllAsync();

        Say($"three nodes healthy after {clock.Elapsed.TotalSeconds:0.0} s");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(150));
        await cluster.RunWorkloadAsync();
        await Invariants.HoldAsync(cluster, 3);
    }
}
