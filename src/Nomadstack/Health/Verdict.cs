// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Health;

/// <summary>The cluster's state in one word, and what is missing in one sentence. Healthy has no reason.</summary>
internal sealed record Verdict(string State, string Reason)
{
    /// <summary>Pure. The worst finding wins: no cluster, then no quorum, then the first thing that is not healthy.</summary>
    public static Verdict On(StatusFacts facts)
    {
        var found = Found(facts);
        if (found.State is "none" or "bootstrapping") return found;
        // Whatever else is wrong, it may come from there or get worse by it.
        var causes = facts.Nodes.Where(n => n.Disk is { Level: DiskLevel.Short }).Select(n => $"the disk of {n.Name} is nearly full: {n.Disk!.InWords()}").ToList();
        if (facts.Clock.Length > 0) causes.Add(facts.Clock);
        if (facts.Snapshots.Length > 0) causes.Add(facts.Snapshots);
        if (causes.Count == 0) return found;
        var all = string.Join("; ", causes);
        return found.State == "healthy" ? new("degraded", all) : found with { Reason = $"{found.Reason}; {all}" };
    }

    private static Verdict Found(StatusFacts facts)
    {
        if (!facts.HasCluster) return facts.Bootstrapping ? new("bootstrapping", "the cluster is being made") : new("none", "this node is not a member of a cluster: run `nomadstack bootstrap` here, or start the agent with --join");
        if (facts.Bootstrapping) return new("bootstrapping", "the cluster is being made");
        foreach (var product in facts.Products)
        {
            if (LostQuorum(facts, product.Name) is { } lost) return new("no-quorum", lost);
        }

        foreach (var product in facts.Products)
        {
            if (Missing(facts, product) is { } missing) return new("degraded", missing);
        }

        if (facts.Nodes.FirstOrDefault(n => n is { Reachable: false, Joining: false }) is { } silent)
        {
            var why = silent.Why.Length > 0 ? $": {char.ToLowerInvariant(silent.Why[0])}{silent.Why[1..].TrimEnd('.')}" : "";
            return new("degraded", $"the agent on {silent.Name} does not answer{why}");
        }

        foreach (var product in facts.Products.Where(p => p.HasClient))
        {
            if (facts.Nodes.FirstOrDefault(n => !n.Joining && !n.Serves(product.Name)) is not { } idle) continue;
            var state = $"the {product.Title} client on {idle.Name} is {idle.Clients.GetValueOrDefault(product.Name)?.State ?? "unknown"}";
            return new("degraded", product.FencesClient && facts.ClientWaitsFor.Length > 0 ? $"{state}; it waits for {facts.ClientWaitsFor}" : state);
        }

        return new("healthy", "");
    }

    private static string? LostQuorum(StatusFacts facts, string role)
    {
        var servers = facts.Servers.Where(s => s.Server.Entry.Role == role).ToList();
        if (servers.Any(s => s.View is { HasLeader: true })) return null;
        if (servers.Count == 0) return $"no {role} server is recorded anywhere";
        var silent = servers.Where(s => s.View is null).Select(s => s.Silent).ToList();
        var since = facts.QuorumLostFor is { } lost ? string.Create(CultureInfo.InvariantCulture, $" for {lost.TotalSeconds:0} s") : "";
        return silent.Count == 0
            ? servers.Count == 1 ? $"no {role} leader{since}; the only server answers and will elect itself" : $"no {role} leader{since}; all {servers.Count} servers answer and an election is under way"
            : $"no {role} leader{since}; {servers.Count - silent.Count} of {servers.Count} servers answer, missing: {string.Join(", ", silent)}";
    }

    private static string? Missing(StatusFacts facts, Product product)
    {
        var role = product.Name;
        var servers = facts.Servers.Where(s => s.Server.Entry.Role == role).ToList();
        if (servers.FirstOrDefault(s => s.Server.IsBootstrap) is { } temporary) return $"the {role} bootstrap server on {temporary.Server.NodeName} has not left yet";
        if (servers.FirstOrDefault(s => s.View is null) is { } silent) return $"the {role} server on {silent.Silent} does not answer";
        var view = servers.Select(s => s.View).First(v => v is { HasLeader: true })!;
        var claimed = servers.Where(s => s.Server.IsClaimed).ToList();
        var behind = claimed.Where(s => view.Member(s.Server.Entry.RaftId) is not { Voter: true, Healthy: true }).Select(s => s.Server.NodeName).ToList();
        var voters = claimed.Count - behind.Count;
        var desired = facts.Desired.GetValueOrDefault(role, Math.Max(1, claimed.Count));
        var target = DesiredServers.For(facts.Nodes.Count(n => n.Eligible && n.Kind == NodeKind.Server && facts.Products.Where(p => p.Schedules).All(p => n.Serves(p.Name))), desired, facts.MostServers);
        if (target > desired) return $"the number of {role} servers will be raised from {desired} to {target}";
        if (voters < desired || behind.Count > 0) return $"{voters} of {desired} {role} servers are caught-up voters{(behind.Count > 0 ? $"; not yet: {string.Join(", ", behind)}" : "")}";
        if (servers.FirstOrDefault(s => !s.Server.IsClaimed) is { } lingering) return $"the {role} server on {lingering.Server.NodeName} lingers until another server can take its place";
        return view.Members.Any(m => m.Voter && !servers.Any(s => s.Server.Entry.RaftId == m.RaftId)) ? $"the {role} raft configuration has a voter that no node runs" : null;
    }
}
