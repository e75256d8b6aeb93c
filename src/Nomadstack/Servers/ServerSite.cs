// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>Where one server of this node lives: folder, name, addresses, raft id. The same at every start, hence the same raft peer.</summary>
/// <param name="Name">Unique in gossip: <c>NODE-server</c> or <c>NODE-bootstrap</c>.</param>
internal sealed record ServerSite(string Role, bool Bootstrap, string Name, string Folder, string RaftId, string Address, int Http, int Rpc, int Serf)
{
    public string DataFolder => Path.Combine(Folder, "data");
    public string ConfigFile => Path.Combine(Folder, "config.json");
    public string ProcessName => Bootstrap ? Role + "-bootstrap" : Role + "-server";

    public ServerEntry ToEntry(string state) => new(Role, RaftId, Bootstrap ? "bootstrap" : "job", state, Http, Rpc, Serf);

    public static ServerSite Job(NodeFile node, NodePaths paths, string role, string raftId) =>
        role == Cluster.Role.Nomad
            ? new(role, false, node.Name + "-server", paths.Server(role), raftId, node.Address, node.Ports.NomadServerHttp, node.Ports.NomadServerRpc, node.Ports.NomadServerSerf)
            : new(role, false, node.Name + "-server", paths.Server(role), raftId, node.Address, node.Ports.ConsulServerHttp, node.Ports.ConsulServerRpc, node.Ports.ConsulServerSerf);

    public static ServerSite OfBootstrap(NodeFile node, NodePaths paths, string role, string raftId) =>
        role == Cluster.Role.Nomad
            ? new(role, true, node.Name + "-bootstrap", paths.BootstrapServer(role), raftId, node.Address, node.Ports.NomadBootstrapHttp, node.Ports.NomadBootstrapRpc, node.Ports.NomadBootstrapSerf)
            : new(role, true, node.Name + "-bootstrap", paths.BootstrapServer(role), raftId, node.Address, node.Ports.ConsulBootstrapHttp, node.Ports.ConsulBootstrapRpc, node.Ports.ConsulBootstrapSerf);
}

/// <summary>A server anywhere in the cluster, as the membership records it.</summary>
internal sealed record KnownServer(string NodeId, string NodeName, string Address, ServerEntry Entry)
{
    public string Rpc => HostPort.Join(Address, Entry.Rpc);
    public string Serf => HostPort.Join(Address, Entry.Serf);
    public Uri Http => new("http://" + HostPort.Join(Address, Entry.Http));

    /// <summary>Whether a server of that node could take over from one that keeps these keys on its disk.</summary>
    public bool HasKeys(IReadOnlySet<string> ids) => ids.IsSubsetOf(Entry.Keys.Split(','));

    public bool IsBootstrap => Entry.ManagedBy == "bootstrap";

    /// <summary>Claimed by an allocation, so expected to stay.</summary>
    public bool IsClaimed => Entry is { ManagedBy: "job", State: "running" };

    /// <summary>All servers of a role the membership records, in a stable order.</summary>
    public static IReadOnlyList<KnownServer> Of(ClusterDocument? cluster, string role) =>
        cluster is null ? [] :
        [.. from node in cluster.Nodes.Values
            where !node.Removed
            from server in node.Servers
            where server.Role == role
            orderby node.Name, server.ManagedBy
            select new KnownServer(node.Id, node.Name, node.Address, server)];
}
