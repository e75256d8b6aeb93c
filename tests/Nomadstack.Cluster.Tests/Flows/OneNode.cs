// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Stack;
using Xunit;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>A cluster of one node without Consul, made once and handed from one scenario to the next as long as it is healthy.</summary>
public sealed class OneNode : IAsyncLifetime
{
    private TestCluster? _cluster;

    internal async Task<TestCluster> BorrowAsync()
    {
        if (_cluster is not null && await WellAsync(_cluster)) return _cluster;
        await DisposeAsync();
        _cluster = await TestCluster.CreateAsync(1, consul: false);
        _cluster.StartAgent(_cluster.Nodes[0]);
        await _cluster.BootstrapAsync(_cluster.Nodes[0]);
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
        if (!cluster.Nodes[0].IsOn) return false;
        try
        {
            await cluster.HealthyAsync(1, TimeSpan.FromSeconds(30));
            return true;
        }
        catch (Exception ill) when (ill is TimeoutException or InvalidOperationException)
        {
            return false;
        }
    }
}
