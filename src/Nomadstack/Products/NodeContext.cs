// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Products;

/// <summary>What every part of the daemon gets: this node's identity, its files, its membership, and the clock.</summary>
internal sealed record NodeContext(NodeFile Node, NodePaths Paths, Membership Membership, ProductTable Table, TimeProvider Time, ILoggerFactory Logs)
{
    /// <summary>What closes the cluster to strangers.</summary>
    public ClusterTrust Trust { get; } = new(Membership, new SecretStore(Membership), Table, Time);

    /// <summary>Where what happens on this node is told.</summary>
    public Journal Timeline { get; init; } = Journal.Nowhere;

    /// <summary>The endpoints of the products' APIs.</summary>
    public ProductEndpoints Endpoints => field ??= new(Trust);

    /// <summary>The products of this node's cluster, in the order in which a bootstrap starts them; none while the node is not a member.</summary>
    public IReadOnlyList<Product> Products => Membership.Current is { } cluster ? [.. Table.Stack.Where(p => p.Schedules || cluster.Products.Contains(p.Name))] : [];
}
