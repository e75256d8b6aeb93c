// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Bootstrap;

/// <summary>One product's servers and its client on this node during bootstrap and pivot, as observed.</summary>
/// <param name="BootstrapStarted">Its bootstrap server is recorded and its process runs.</param>
/// <param name="LeaderKnown">A server of the product knows a leader.</param>
/// <param name="Closed">Its access control is initialised and knows our tokens; also true for a cluster that is open to everybody.</param>
/// <param name="JobRegistered">The server job is in the scheduler's state, with a count of at least one.</param>
/// <param name="JobServerCaughtUp">A job server is a healthy voter and has applied what the leader had.</param>
/// <param name="LeaveIntended">The point of no return: from here on the bootstrap server leaves in any case.</param>
/// <param name="BootstrapGone">The bootstrap server is in no raft configuration, its process has ended, and its folder is retired.</param>
/// <param name="ClientRuns">This node's client runs; also true for a product without a client.</param>
internal sealed record ProductFacts(bool BootstrapStarted, bool LeaderKnown, bool Closed, bool JobRegistered, bool JobServerCaughtUp, bool LeaveIntended, bool BootstrapGone, bool ClientRuns)
{
    /// <summary>It has the state of the archive that the cluster is made from; also true for a cluster that is made from none.</summary>
    public bool Restored { get; init; } = true;
}

/// <summary>All facts for the bootstrap, at one moment.</summary>
/// <param name="Products">The cluster's products, in the order of their bootstrap.</param>
/// <param name="NodeReady">The scheduler's state shows this node ready, with our driver healthy.</param>
/// <param name="TracesGone">No configuration file, member list or server list names a bootstrap port.</param>
/// <param name="Healthy">What <c>status</c> would say once the bootstrap is done: done means healthy.</param>
internal sealed record BootstrapFacts(bool ClusterMinted, IReadOnlyList<(Product Product, ProductFacts Facts)> Products, bool NodeReady, bool TracesGone, bool Healthy);

internal enum BootstrapVerb
{
    MintCluster,
    StartServer,
    StartClient,
    AwaitLeader,
    Close,
    Restore,
    AwaitNodeReady,
    RegisterJob,
    AwaitJobServers,
    RemoveServer,
    RemoveTraces,
    AwaitHealth,
    Done,
}

/// <summary>What to do, and for which product; null for the whole cluster.</summary>
internal sealed record BootstrapStep(BootstrapVerb Verb, Product? Product = null)
{
    /// <summary>The step in words for a person.</summary>
    public string InWords => Verb switch
    {
        BootstrapVerb.MintCluster => "create the cluster's identity",
        BootstrapVerb.StartServer => $"start the {Product!.Title} bootstrap server",
        BootstrapVerb.StartClient => $"start this node's {Product!.Title} client",
        BootstrapVerb.AwaitLeader => $"elect the first {Product!.Title} leader",
        BootstrapVerb.Close => $"close {Product!.Title} to strangers: initialise its access control",
        BootstrapVerb.Restore => $"restore {Product!.Title}'s state from the archive",
        BootstrapVerb.AwaitNodeReady => "register this node",
        BootstrapVerb.RegisterJob => $"register the job {Product!.JobId}",
        BootstrapVerb.AwaitJobServers => "bring the job servers into the quorum",
        BootstrapVerb.RemoveServer => $"pivot: the {Product!.Title} bootstrap server leaves",
        BootstrapVerb.RemoveTraces => "check that nothing names a bootstrap server",
        BootstrapVerb.AwaitHealth => "wait until the cluster is healthy",
        BootstrapVerb.Done => "done",
        _ => throw new InvalidOperationException($"unknown verb {Verb}"),
    };
}

/// <summary>What to do next. Pure and total: the same facts give the same step, so a restarted agent continues from the real state.</summary>
internal static class BootstrapDecision
{
    public static BootstrapStep Next(BootstrapFacts facts)
    {
        if (!facts.ClusterMinted) return new(BootstrapVerb.MintCluster);
        if (First(facts, (_, f) => f is { BootstrapStarted: false, BootstrapGone: false } && IsNeeded(f)) is { } start) return new(BootstrapVerb.StartServer, start);
        if (First(facts, (p, f) => !p.FencesClient && !f.ClientRuns) is { } free) return new(BootstrapVerb.StartClient, free);
        // Before there is anything to observe, for only status is told to whoever says no token, and before the fenced client: one passes on a stranger's request (run on 2.0.5).
        if (First(facts, (_, f) => f is { Closed: false, BootstrapGone: false }) is { } open) return new(BootstrapVerb.Close, open);
        // Before this node's client and the jobs: what they find is the restored state.
        if (First(facts, (_, f) => f is { Restored: false, LeaderKnown: false, BootstrapGone: false }) is { } blank) return new(BootstrapVerb.AwaitLeader, blank);
        if (First(facts, (_, f) => f is { Restored: false, BootstrapGone: false }) is { } old) return new(BootstrapVerb.Restore, old);
        if (First(facts, (p, f) => p.Schedules && f is { LeaderKnown: false, BootstrapGone: false }) is { } leaderless) return new(BootstrapVerb.AwaitLeader, leaderless);
        if (First(facts, (_, f) => !f.ClientRuns) is { } fenced) return new(BootstrapVerb.StartClient, fenced);
        // Once the bootstrap servers are gone, a client that registers anew with the job servers is the last thing that health waits for.
        var pivoted = First(facts, (_, f) => !f.BootstrapGone) is null;
        if (!facts.NodeReady && !pivoted) return new(BootstrapVerb.AwaitNodeReady);
        // Before Nomad 1.6.3 the only job server is started once more then, and cannot be read for a moment: that is no missing job.
        if (!facts.NodeReady && First(facts, (_, f) => !f.JobRegistered) is not null) return new(BootstrapVerb.AwaitHealth);
        if (First(facts, (_, f) => !f.JobRegistered) is { } jobless) return new(BootstrapVerb.RegisterJob, jobless);
        if (First(facts, (_, f) => !f.BootstrapGone && (f.JobServerCaughtUp || f.LeaveIntended)) is { } over) return new(BootstrapVerb.RemoveServer, over);
        if (First(facts, (_, f) => !f.BootstrapGone) is not null) return new(BootstrapVerb.AwaitJobServers);
        return new(!facts.TracesGone ? BootstrapVerb.RemoveTraces : facts is { Healthy: true, NodeReady: true } ? BootstrapVerb.Done : BootstrapVerb.AwaitHealth);
    }

    private static Product? First(BootstrapFacts facts, Func<Product, ProductFacts, bool> condition) =>
        facts.Products.FirstOrDefault(p => condition(p.Product, p.Facts)).Product;

    /// <summary>A server that was leaving when it was stopped is started again only for its vote.</summary>
    private static bool IsNeeded(ProductFacts product) => !product.LeaveIntended || !product.LeaderKnown;
}
