// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Health;

/// <summary>A recorded server and its answer; <paramref name="View"/> is null if it did not answer.</summary>
internal sealed record SeenServer(KnownServer Server, RaftView? View, int? Pid)
{
    /// <summary>Why it does not answer, where it is this node's and that is known: what it waits for, or what its process said when it ended; else empty.</summary>
    public string Why { get; init; } = "";

    /// <summary>Its node, and why it does not answer.</summary>
    public string Silent => Why.Length > 0 ? $"{Server.NodeName} ({Why})" : Server.NodeName;
}

/// <summary>One node as seen from here.</summary>
/// <param name="Clients">Its clients, by product.</param>
internal sealed record SeenNode(string Name, string Address, bool Reachable, IReadOnlyDictionary<string, SeenClient> Clients, bool Eligible)
{
    /// <summary><see cref="NodeKind"/>.</summary>
    public string Kind { get; init; } = NodeKind.Server;

    /// <summary>It was let in and has not come yet: no part of the cluster that could be missed.</summary>
    public bool Joining { get; init; }

    /// <summary>Why its agent does not answer, where that is known: a few words to print after that it does not.</summary>
    public string Why { get; init; } = "";

    /// <summary>Its disk, as it says itself; null where it does not tell.</summary>
    public DiskSpace? Disk { get; init; }

    /// <summary>Whether this node's client of a product is in the good state.</summary>
    public bool Serves(string product) => Clients.TryGetValue(product, out var client) && client.Serves;
}

/// <summary>Everything that the verdict on a cluster depends on.</summary>
/// <param name="Products">The cluster's products, in the order people read them: the scheduler first.</param>
/// <param name="Desired">By product: the count of its job now, or when it was last seen.</param>
/// <param name="ClientWaitsFor">What this node's scheduler client waits for before it starts; empty when it runs.</param>
/// <param name="QuorumLostFor">How long there has been no leader; null while there is one.</param>
internal sealed record StatusFacts(
    bool HasCluster,
    bool Bootstrapping,
    IReadOnlyList<Product> Products,
    IReadOnlyDictionary<string, int> Desired,
    IReadOnlyList<SeenServer> Servers,
    IReadOnlyList<SeenNode> Nodes,
    string ClientWaitsFor,
    TimeSpan? QuorumLostFor)
{
    /// <summary>Which clock is wrong, in words; empty where none is.</summary>
    public string Clock { get; init; } = "";

    /// <summary>What is wrong with the cluster's snapshots, in words; empty where nothing is.</summary>
    public string Snapshots { get; init; } = "";

    /// <summary>Most servers the cluster may have: 1, 3 or 5.</summary>
    public int MostServers { get; init; } = 1;
}
