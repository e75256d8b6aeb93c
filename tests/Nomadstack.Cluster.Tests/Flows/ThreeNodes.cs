// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Stack;
using Xunit;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>
/// A cluster of three with the workload on it, made once and handed from one scenario to the next as long as it is healthy:
/// every scenario has to leave it so. One that did not costs the next a new cluster, not its truth.
/// </summary>
public sealed class ThreeNodes : IAsyncLifetime
{
    private TestCluster? _cluster;

    internal async Task<TestCluster> BorrowAsync()
    {
        if (_cluster is not null && await WellAsync(_cluster)) return _cluster;
        await DisposeAsync();
        _cluster = await TestCluster.CreateAsync(3);
        await _cluster.StartAllAsync();
        await _cluster.RunWorkloadAsync();
        return _cluster;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    // xunit disposes of a fixture in this way and in no other that waits.
    public async Task DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
        _cluster = null;
    }

    private static async Task<bool> WellAsync(TestCluster cluster)
    {
        if (cluster.Nodes.Any(node => !node.IsOn)) return false;
        try
        {
            await cluster.HealthyAsync(3, TimeSpan.FromSeconds(30));
            return Workload.RunningSinceBoot(cluster.Nodes) == Workload.Tasks && (await TestCluster.StatusAsync(cluster.Nodes[0])).Nodes.All(node => node.Eligible);
        }
        catch (Exception ill) when (ill is TimeoutException or InvalidOperationException)
        {
            return false;
        }
    }
}
