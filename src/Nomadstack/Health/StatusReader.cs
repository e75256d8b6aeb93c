// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Security;
using Nomadstack.Servers;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Health;

/// <summary>
/// The cluster as this node sees it now: the membership on disk, the servers that answer, and the peers heard lately.
/// Never waits for a leader.
/// </summary>
internal sealed class StatusReader(
    NodeContext context,
    ServerHost host,
    NodeClients clients,
    OperationLog operations,
    NodePrograms programs,
    ISchedulerProduct scheduler,
    IReadOnlyDictionary<string, IProduct> products)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, int> _desired = [];
    private readonly Lock _lock = new();

    /// <summary>Fed by each reading, and by whoever looks at the servers anyway.</summary>
    public LeaderSightings Leaders { get; } = new(context.Time, (role, leader) => context.Timeline.Tell(
        leader ? EventKinds.LeaderSeen : EventKinds.LeaderLost,
        leader ? $"The {role} servers have a leader again, as this node sees it." : $"The {role} servers have no leader, as this node sees it.",
        (EventFields.Role, role)));

    /// <summary>Which peers answer; set once peering runs.</summary>
    public Func<string, bool> IsReachable { get; set; } = _ => false;

    /// <summary>The disk of a node, by its id; null where nobody told.</summary>
    public Func<string, DiskSpace?> DiskOf { get; set; } = _ => null;

    /// <summary>Which clock is wrong, in words; empty where none is.</summary>
    public Func<string> Clock { get; set; } = () => "";

    /// <summary>What is wrong with the cluster's snapshots, in words, and when the newest were taken.</summary>
    public Func<(string Words, SnapshotsStatus? Times)> Snapshots { get; set; } = () => ("", null);

    /// <summary>Why a peer does not answer, by its id; null where nothing better is known than that it does not.</summary>
    public Func<string, Problem?> WhySilent { get; set; } = _ => null;

    /// <summary>What this node's server of a product waits for before it can go on under new addresses; empty if for nothing.</summary>
    public Func<string, string> WaitsForAddresses { get; set; } = _ => "";

    public required string Version { get; init; }

    public Func<string, int?> BootstrapPid { get; set; } = _ => null;

    public async Task<StatusDocument> ReadAsync(CancellationToken cancel)
    {
        var cluster = context.Membership.Current;
        var facts = await ObserveAsync(cluster, cancel);
        var verdict = Verdict.On(facts);
        return new(
            1,
            new(context.Node.Name, context.Node.Id, context.Node.Address, Version),
            new(cluster?.ClusterId ?? "", verdict.State, verdict.Reason, facts.Desired.GetValueOrDefault(context.Table.Scheduler.Name, cluster is null ? 0 : 1))
            {
                Security = context.Trust.Phase,
                Snapshots = cluster is null ? null : Snapshots().Times,
                // A cluster without a product may have its certificates.
                Certificates = [.. NodeCertificates.Ends(context.Paths, context.Table, context.Time.GetUtcNow())
                    .Where(c => c.Product == CertificateStatus.OurAgents || context.Products.Any(p => p.Name == c.Product))],
            },
            context.Table.Shown.ToDictionary(p => p.Name, p => Engine(p, cluster)),
            [.. facts.Servers.Select(Describe)],
            [.. facts.Nodes.Select(n => Member(n))],
            operations.All);

        ServerStatus Describe(SeenServer seen)
        {
            var entry = seen.Server.Entry;
            var member = facts.Servers.Where(s => s.Server.Entry.Role == entry.Role).Select(s => s.View).FirstOrDefault(v => v is { HasLeader: true })?.Member(entry.RaftId);
            var state = seen.View is null ? seen.Server.NodeId == context.Node.Id && seen.Pid is null ? "stopped" : "unreachable" : entry.State;
            return new(entry.Role, seen.Server.NodeName, seen.Server.Rpc, entry.ManagedBy, state, member?.Voter ?? false, member?.Leader ?? false, member?.Healthy ?? false, seen.Pid);
        }
    }

    /// <summary>What keeps the cluster from healthy, a bootstrap under way apart; null when nothing does. A disk that fills up and a wrong clock are no reason to wait: waiting mends neither.</summary>
    public async Task<string?> LacksAsync(CancellationToken cancel)
    {
        var facts = await ObserveAsync(context.Membership.Current, cancel);
        return Verdict.On(facts with { Bootstrapping = false, Clock = "", Snapshots = "", Nodes = [.. facts.Nodes.Select(n => n with { Disk = null })] }) is { State: not "healthy" } verdict ? verdict.Reason : null;
    }

    /// <summary>What provides a product. Asked at each reading: what a node drives is settled when it becomes a member.</summary>
    private EngineVersion Engine(Product product, ClusterDocument? cluster)
    {
        if (cluster is not null && !context.Products.Contains(product)) return new(EngineKind.None, "") { Why = "this cluster was made without it" };
        return programs.Find(product) is { } program
            ? new(program.Kind, program.Version.ToString()) { Program = program.Path, Why = program.Why, Offered = programs.Offers.TryGetValue(product.Name, out var offer) ? new(offer.Version, offer.Path) : null }
            : new(EngineKind.None, "") { Why = programs.Without.GetValueOrDefault(product.Name, "") };
    }

    private MemberStatus Member(SeenNode node) => new(node.Name, node.Address, node.Joining ? MemberStatus.JoiningAgent : node.Reachable ? "reachable" : "unreachable", node.Eligible)
    {
        Kind = node.Kind,
        Disk = node.Disk is { } disk ? new(disk.Mount, disk.Percent, disk.Available, disk.Level.ToString().ToLowerInvariant()) : null,
        Clients = context.Table.Shown.Where(p => p.HasClient).ToDictionary(p => p.Name, p => JsonSerializer.SerializeToElement(node.Clients.TryGetValue(p.Name, out var client) ? client.State : MemberStatus.NoClient, ApiJson.Default.String)),
    };

    private async Task<StatusFacts> ObserveAsync(ClusterDocument? cluster, CancellationToken cancel)
    {
        var bootstrapping = operations.Unfinished("bootstrap") is not null;
        if (cluster is null) return new(false, bootstrapping, [], _desired, [], [], "", null);
        IReadOnlyList<Product> shown = [.. context.Table.Shown.Where(context.Products.Contains)];
        var servers = await Task.WhenAll(shown.SelectMany(p => KnownServer.Of(cluster, p.Name)).Select(async s => new SeenServer(s, await Reach(s).ObserveAsync(cancel), PidOf(s)) { Why = WhySilentHere(s) }));
        IReadOnlyList<NodeFacts> nodes = [];
        Dictionary<string, IReadOnlyList<SeenClient>> seen = [];
        foreach (var product in shown)
        {
            // A server without a leader may still know the clients.
            if (servers.Where(s => s.Server.Entry.Role == product.Name && s.View is not null).OrderByDescending(s => s.View!.HasLeader).FirstOrDefault() is not { } asked) continue;
            if (product is { HasClient: true, Schedules: false }) seen[product.Name] = await Reach(asked.Server).ClientsAsync(s_deadline, cancel);
            if (!product.Schedules || !asked.View!.HasLeader) continue;
            var api = scheduler.Scheduler(context.Endpoints.Of(product, asked.Server));
            // The clients are the nodes: one call returns both.
            if ((await api.NodesAsync(s_deadline, cancel)).Try(out var list)) nodes = list;
            seen[product.Name] = [.. nodes.GroupBy(n => n.Name).Select(same => same.MaxBy(n => n.ModifyIndex)!).Select(n => new SeenClient(n.Name, n.ClientState, n.Ready))];
            foreach (var each in shown) await ReadDesiredAsync(api, each, cancel);
        }

        foreach (var product in shown) Leaders.Note(product.Name, servers.Any(s => s.Server.Entry.Role == product.Name && s.View is { HasLeader: true }));
        return new(
            true,
            bootstrapping,
            shown,
            Desired(),
            servers,
            [.. cluster.Nodes.Values.Where(n => !n.Removed).OrderBy(n => n.Name).Select(n => See(n, shown, nodes, seen))],
            clients.Scheduler.WaitsFor,
            Leaders.LostFor)
        {
            MostServers = cluster.MaxServers,
            Clock = Clock(),
            Snapshots = Snapshots().Words,
        };
    }

    private SeenNode See(NodeEntry entry, IReadOnlyList<Product> shown, IReadOnlyList<NodeFacts> nodes, Dictionary<string, IReadOnlyList<SeenClient>> seen)
    {
        var own = entry.Id == context.Node.Id;
        var facts = nodes.Where(n => n.Name == entry.Name).MaxBy(n => n.ModifyIndex);
        return new(entry.Name, entry.Address, own || IsReachable(entry.Id), shown.Where(p => p.HasClient).ToDictionary(p => p.Name, Client), facts?.Eligible ?? false)
        {
            Kind = entry.Kind ?? NodeKind.Server,
            Disk = DiskOf(entry.Id),
            Joining = Provisional.Is(entry),
            Why = WhySilent(entry.Id)?.What ?? "",
        };

        SeenClient Client(Product product)
        {
            // While this node's client waits at the gate, what a server knows of it is out of date.
            var waits = own && product.FencesClient && !clients.Scheduler.Runs;
            return (waits ? null : seen.GetValueOrDefault(product.Name)?.FirstOrDefault(c => c.Node == entry.Name)) ?? new(entry.Name, products[product.Name].UnknownClient, Serves: false);
        }
    }

    private async Task ReadDesiredAsync(IScheduler api, Product product, CancellationToken cancel)
    {
        if (!(await api.JobAsync(product.JobId, s_deadline, cancel)).Try(out var job) || job is null || job.Stop) return;
        lock (_lock) _desired[product.Name] = job.Count;
    }

    private Dictionary<string, int> Desired()
    {
        lock (_lock) return new(_desired);
    }

    private IServerApi Reach(KnownServer server)
    {
        var product = products[server.Entry.Role];
        return product.Server(context.Endpoints.Of(product.Row, server));
    }

    private string WhySilentHere(KnownServer server)
    {
        if (server.NodeId != context.Node.Id || server.IsBootstrap) return "";
        if (WaitsForAddresses(server.Entry.Role) is { Length: > 0 } addresses) return $"waits for {addresses}";
        return host.HowItEnded(server.Entry.Role) is { Length: > 0 } words ? $"its process ended, {words}" : "";
    }

    private int? PidOf(KnownServer server) =>
        server.NodeId != context.Node.Id ? null : server.IsBootstrap ? BootstrapPid(server.Entry.Role) : host.Pid(server.Entry.Role);
}
