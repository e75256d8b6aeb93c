// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Health;

/// <summary>
/// The cluster as this node sees it now, whoever answers: built from the membership on disk, the servers that answer, and peers heard of lately.
/// Never waits for a leader.
/// </summary>
internal sealed class StatusReader(
    NodeContext context,
    ServerHost host,
    NodeClients clients,
    OperationLog operations,
    IReadOnlyDictionary<string, IServerProduct> products,
    Func<Uri, NomadApi> nomad)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, int> _desired = [];
    private readonly Lock _lock = new();
    private DateTimeOffset? _quorumLost;

    /// <summary>Which peers answer; set once the peers' part runs.</summary>
    public Func<string, bool> IsReachable { get; set; } = _ => false;

    /// <summary>Asked at each reading: what a node drives is settled when it becomes a member.</summary>
    public Func<EngineStatus> Engine { get; set; } = () => new(new("none", ""), new("none", ""));

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
            new(cluster?.ClusterId ?? "", verdict.State, verdict.Reason, facts.Desired.GetValueOrDefault(Role.Nomad, cluster is null ? 0 : 1)),
            cluster is { Consul: false } && Engine() is { Consul.Kind: not "none" } engine ? engine with { Consul = new("none", "") { Why = "this cluster was made without it" } } : Engine(),
            [.. facts.Servers.Select(Describe)],
            [.. facts.Nodes.Select(n => new MemberStatus(n.Name, n.Address, n.Reachable ? "reachable" : "unreachable", n.NomadStatus, n.ConsulStatus, n.Eligible))],
            operations.All);

        ServerStatus Describe(SeenServer seen)
        {
            var entry = seen.Server.Entry;
            var member = facts.Servers.Where(s => s.Server.Entry.Role == entry.Role).Select(s => s.View).FirstOrDefault(v => v is { HasLeader: true })?.Member(entry.RaftId);
            var state = seen.View is null ? seen.Server.NodeId == context.Node.Id && seen.Pid is null ? "stopped" : "unreachable" : entry.State;
            return new(entry.Role, seen.Server.NodeName, seen.Server.Rpc, entry.ManagedBy, state, member?.Voter ?? false, member?.Leader ?? false, member?.Healthy ?? false, seen.Pid);
        }
    }

    private async Task<StatusFacts> ObserveAsync(ClusterDocument? cluster, CancellationToken cancel)
    {
        var bootstrapping = operations.Unfinished("bootstrap") is not null;
        if (cluster is null) return new(false, bootstrapping, [], _desired, [], [], "", null);
        IReadOnlyList<string> roles = cluster.Consul ? Role.All : [Role.Nomad];
        var servers = await Task.WhenAll(roles.SelectMany(r => KnownServer.Of(cluster, r)).Select(async s =>
            new SeenServer(s, await RaftView.AskAsync(products[s.Entry.Role].Api(s.Http), cancel), PidOf(s))));
        IReadOnlyList<NodeFacts> nodes = [];
        IReadOnlyList<GossipMember> gossip = [];
        if (servers.FirstOrDefault(s => s.Server.Entry.Role == Role.Nomad && s.View is { HasLeader: true }) is { } led)
        {
            var api = nomad(led.Server.Http);
            if ((await api.NodesAsync(s_deadline, cancel)).Try(out var list)) nodes = list;
            foreach (var role in roles) await ReadDesiredAsync(api, role, cancel);
        }

        if (servers.FirstOrDefault(s => s.Server.Entry.Role == Role.Consul && s.View is not null) is { } consul
            && (await products[Role.Consul].Api(consul.Server.Http).MembersAsync(s_deadline, cancel)).Try(out var members)) gossip = members;
        var noLeader = roles.Any(r => !servers.Any(s => s.Server.Entry.Role == r && s.View is { HasLeader: true }));
        _quorumLost = noLeader ? _quorumLost ?? context.Time.GetUtcNow() : null;
        return new(
            true,
            bootstrapping,
            roles,
            Desired(),
            servers,
            [.. cluster.Nodes.Values.Where(n => !n.Removed).OrderBy(n => n.Name).Select(n => Describe(n, nodes, gossip, cluster.Consul))],
            clients.Nomad.WaitsFor,
            context.Time.GetUtcNow() - _quorumLost)
        {
            MostServers = cluster.MaxServers,
        };
    }

    private SeenNode Describe(NodeEntry entry, IReadOnlyList<NodeFacts> nodes, IReadOnlyList<GossipMember> gossip, bool consul)
    {
        var own = entry.Id == context.Node.Id;
        var facts = nodes.Where(n => n.Name == entry.Name).OrderByDescending(n => n.ModifyIndex).FirstOrDefault();
        var starting = own && !clients.Nomad.Runs;
        var status = starting || facts is null || facts.Status == "initializing" ? "starting" : facts.Ready ? "ready" : "down";
        return new(entry.Name, entry.Address, own || IsReachable(entry.Id), status, !consul ? "none" : gossip.Any(m => m.Name == entry.Name && m.Status == "alive") ? "alive" : "failed", facts?.Eligible ?? false);
    }

    private async Task ReadDesiredAsync(NomadApi api, string role, CancellationToken cancel)
    {
        if (!(await api.JobAsync(Role.JobId(role), s_deadline, cancel)).Try(out var job) || job is null || job.Stop) return;
        lock (_lock) _desired[role] = job.Count;
    }

    private Dictionary<string, int> Desired()
    {
        lock (_lock) return new(_desired);
    }

    private int? PidOf(KnownServer server) =>
        server.NodeId != context.Node.Id ? null : server.IsBootstrap ? BootstrapPid(server.Entry.Role) : host.Pid(server.Entry.Role);
}
