// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Products;

/// <summary>What every part of the daemon is given: who this node is, where its files are, whom it knows, what time it is.</summary>
internal sealed record NodeContext(NodeFile Node, NodePaths Paths, Membership Membership, ProductTable Table, TimeProvider Time, ILoggerFactory Logs)
{
    /// <summary>How the products' APIs are reached.</summary>
    public ProductEndpoints Endpoints { get; } = new(Uri.UriSchemeHttp);

    /// <summary>The products of this node's cluster, in the order in which a bootstrap starts them; none while it belongs to none.</summary>
    public IReadOnlyList<Product> Products => Membership.Current is { } cluster ? [.. Table.Stack.Where(p => p.Schedules || cluster.Products.Contains(p.Name))] : [];
}
