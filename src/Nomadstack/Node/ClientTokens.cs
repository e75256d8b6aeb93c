// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>On the scheduler's leader's own node: deletes the tokens of client nodes that were removed.</summary>
internal sealed class ClientTokens(NodeContext context, IReadOnlyDictionary<string, IProduct> products, ServerHost host)
{
    private static readonly TimeSpan s_atRest = TimeSpan.FromHours(1), s_pending = TimeSpan.FromSeconds(30);

    private readonly ILogger _log = context.Logs.CreateLogger<ClientTokens>();

    /// <summary>The client nodes for which all that is over was deleted.</summary>
    private HashSet<(string Id, string Pin, bool Removed)> _settled = [];

    /// <summary>One round, and the wait for a change of the membership or the next.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        await context.Membership.ChangedSinceAsync(seen, await RoundAsync(cancel) ? s_pending : s_atRest, cancel);
    }

    /// <returns>True while something may be left to delete.</returns>
    public async Task<bool> RoundAsync(CancellationToken cancel)
    {
        if (context.Trust.IsGiven || !context.Trust.IsSecure || context.Membership.Current is not { } cluster) return false;
        var now = cluster.Nodes.Values.Where(n => !n.IsServer).Select(n => (n.Id, n.KeyPin, n.Removed)).ToHashSet();
        if (now.SetEquals(_settled)) return false;
        // Another's agent does it, unless it dies first.
        if (!await host.LeadsAsync(context.Table.Scheduler.Name, cancel)) return true;
        foreach (var product in context.Products.Where(context.Trust.Closes))
        {
            if (!await ForgetAsync(product, cluster, cancel)) return true;
        }

        _settled = now;
        return false;
    }

    private async Task<bool> ForgetAsync(Product product, ClusterDocument cluster, CancellationToken cancel)
    {
        foreach (var server in KnownServer.Of(cluster, product.Name).OrderByDescending(s => s.NodeId == context.Node.Id))
        {
            Answer<int> answer = new Answer<int>.Unreachable("not asked yet");
            var at = context.Endpoints.Of(product, server);
            await Fault.AroundAsync("forget-node-tokens", async () => answer = await products[product.Name].ForgetNodeTokensAsync(at, mark => mark.IsOver(cluster), cancel));
            if (!answer.Try(out var deleted)) continue;
            if (deleted > 0) _log.LogInformation("{Deleted} {Product} tokens of removed client nodes were deleted", deleted, product.Title);
            return true;
        }

        return false;
    }
}
