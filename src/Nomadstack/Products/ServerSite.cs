// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Products;

/// <summary>Folder, name, addresses and raft id of one server of this node. They are the same at every start, so it is the same raft peer.</summary>
/// <param name="Name">Unique in gossip: <c>NODE-server</c> or <c>NODE-bootstrap</c>.</param>
/// <param name="Serf">0 for a product without gossip.</param>
internal sealed record ServerSite(Product Product, bool Bootstrap, string Name, string Folder, string RaftId, string Address, int Http, int Rpc, int Serf)
{
    public string Role => Product.Name;

    /// <summary>IP and raft port, as a raft configuration has it.</summary>
    public string RaftAddress => HostPort.Join(Address, Rpc);

    public string DataFolder => Path.Combine(Folder, "data");
    public string ConfigFile => Path.Combine(Folder, "config.json");
    public string ProcessName => Bootstrap ? Role + "-bootstrap" : Role + "-server";

    public ServerEntry ToEntry(string state) => new(Role, RaftId, Bootstrap ? "bootstrap" : "job", state, Http, Rpc, Serf);

    public static ServerSite Job(Product product, NodeFile node, NodePaths paths, string raftId) =>
        Of(product, node, ProductPort.Server, JobName(node.Name), paths.Server(product.Name), raftId);

    public static ServerSite OfBootstrap(Product product, NodeFile node, NodePaths paths, string raftId) =>
        Of(product, node, ProductPort.Bootstrap, BootstrapName(node.Name), paths.BootstrapServer(product.Name), raftId);

    /// <summary>The name of a node's job server.</summary>
    public static string JobName(string node) => node + "-server";

    /// <summary>The name of a node's bootstrap server.</summary>
    public static string BootstrapName(string node) => node + "-bootstrap";

    private static ServerSite Of(Product product, NodeFile node, string holder, string name, string folder, string raftId) =>
        new(product, holder == ProductPort.Bootstrap, name, folder, raftId, node.Address,
            node.Ports.Of(product, holder, ProductPort.Http), node.Ports.Of(product, holder, ProductPort.Rpc), node.Ports.Of(product, holder, ProductPort.Serf));
}

/// <summary>A server anywhere in the cluster, as in the membership.</summary>
internal sealed record KnownServer(string NodeId, string NodeName, string Address, ServerEntry Entry)
{
    public string Rpc => HostPort.Join(Address, Entry.Rpc);

    /// <summary>The address at which another server joins it: the gossip port, or raft's port if the product has no gossip.</summary>
    public string JoinAddress => HostPort.Join(Address, Entry.Serf > 0 ? Entry.Serf : Entry.Rpc);

    /// <summary>The address of a port by its purpose.</summary>
    public string At(string purpose) => HostPort.Join(Address, purpose switch
    {
        ProductPort.Http => Entry.Http,
        ProductPort.Rpc => Entry.Rpc,
        ProductPort.Serf => Entry.Serf,
        _ => throw new ArgumentOutOfRangeException(nameof(purpose), purpose, "a server has no such port"),
    });

    /// <summary>Whether a server of that node can replace one that keeps these keys on its disk.</summary>
    public bool HasKeys(IReadOnlySet<string> ids) => ids.IsSubsetOf(Entry.Keys.Split(','));

    public bool IsBootstrap => Entry.ManagedBy == "bootstrap";

    /// <summary>Claimed by an allocation, so expected to stay.</summary>
    public bool IsClaimed => Entry is { ManagedBy: "job", State: "running" };

    /// <summary>All servers of a product in the membership, in a stable order. A client node has none, whatever it writes into its entry.</summary>
    public static IReadOnlyList<KnownServer> Of(ClusterDocument? cluster, string role) =>
        cluster is null ? [] :
        [.. from node in cluster.Nodes.Values
            where node is { Removed: false, IsServer: true }
            from server in node.Servers
            where server.Role == role
            orderby node.Name, server.ManagedBy
            select new KnownServer(node.Id, node.Name, node.Address, server)];
}

/// <summary>Makes all endpoints of the products' APIs of this cluster, with what this node shows and says there.</summary>
/// <param name="trust">Null for a cluster that is open to everybody.</param>
internal sealed class ProductEndpoints(ClusterTrust? trust)
{
    public Endpoint Of(ServerSite site) => OfServer(site.Product, site.Address, site.Http);

    public Endpoint Of(Product product, KnownServer server) => OfServer(product, server.Address, server.Entry.Http);

    public Endpoint OfServer(Product product, string address, int port) => Make(product, address, port, product.CertificateName(ProductPort.Server));

    /// <summary>This node's own client.</summary>
    public Endpoint OfClient(Product product, NodeFile node) => Make(product, node.Address, node.Ports[product.Port(ProductPort.Client, ProductPort.Http)], product.CertificateName(ProductPort.Client));

    private Endpoint Make(Product product, string address, int port, string? name)
    {
        var at = HostPort.Join(address, port);
        if (trust?.Closes(product) != true) return new Endpoint(new Uri($"{Uri.UriSchemeHttp}://{at}")) { Name = product.Title };
        // Without credentials, as on a node that has just joined, a call ends as one to a server that cannot be reached.
        var credentials = trust.Find(product);
        return new Endpoint(new Uri($"{Uri.UriSchemeHttps}://{at}"))
        {
            Name = product.Title,
            ServerName = name,
            Ca = credentials?.Ca,
            Certificate = credentials?.Certificate,
            Token = new(product.TokenHeader, () => trust.OwnToken(product)),
        };
    }
}
