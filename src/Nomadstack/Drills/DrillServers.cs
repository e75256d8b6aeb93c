// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Drills;

/// <summary>
/// Servers of a product that are a cluster of their own beside the real one. They cannot reach it: they listen on loopback alone, at ports nobody else has, know no
/// address but each other's, and have an authority and a gossip key that were made for this drill and are forgotten with it.
/// </summary>
internal sealed class DrillServers
{
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(5);

    private readonly NodeContext _context;
    private readonly IProduct _code;
    private readonly Func<string, IOwnedProcess> _processes;
    private readonly Credentials _credentials;
    private readonly string _gossipKey = ClusterTrust.MakeGossipKey();
    private readonly IReadOnlyList<ServerSite> _sites;

    public DrillServers(NodeContext context, IProduct code, Func<string, IOwnedProcess> processes, int count)
    {
        (_context, _code, _processes) = (context, code, processes);
        var folder = Path.Combine(context.Paths.Drill, Product.Name);
        DurableFolders.Create(folder, DurableFolders.OwnerOnly);
        var now = context.Time.GetUtcNow();
        var authority = CredentialFiles.MakeAuthority(Product, "of a drill", now);
        var here = context.Node with { Address = IPAddress.Loopback.ToString() };
        _credentials = CredentialFiles.Ensure(new NodePaths(folder), here, Product, authority.Certificate, 0, () => authority.Key, now)!;
        var ports = FreePorts.OfLoopback(3 * count);
        _sites = [.. Enumerable.Range(0, count).Select(i => new ServerSite(
            Product, Bootstrap: i == 0, $"drill-{i + 1}", Path.Combine(folder, $"{i + 1}"), Guid.NewGuid().ToString(), here.Address,
            ports[3 * i], ports[(3 * i) + 1], Product.Gossips ? ports[(3 * i) + 2] : 0))];
    }

    public Product Product => _code.Row;

    public int Count => _sites.Count;

    /// <summary>How this product's servers of a drill are called.</summary>
    public static string NameOf(Product product, int server) => $"{Prefix}{product.Name}-{server + 1}";

    /// <summary>How all processes of a drill begin.</summary>
    public const string Prefix = "drill-";

    /// <summary>Starts a server, or starts it again on its own data.</summary>
    public async Task StartAsync(int server, CancellationToken cancel)
    {
        var (site, process) = (_sites[server], ProcessOf(server));
        var spec = _code.PrepareDrill(site, _credentials, _gossipKey, [.. _sites.Where(s => s != site).Select(s => HostPort.Join(s.Address, s.Serf > 0 ? s.Serf : s.Rpc))]);
        await process.StartAsync(spec with { Name = process.Name, LogFile = Path.Combine(_context.Paths.Log, process.Name + ".log") }, cancel);
    }

    /// <summary>As a power cut ends it.</summary>
    public Task KillAsync(int server) => ProcessOf(server).StopAsync(Signals.SIGKILL, s_stop, CancellationToken.None);

    public IServerApi Api(int server) => _code.Server(new Endpoint(new Uri($"{Uri.UriSchemeHttps}://{HostPort.Join(_sites[server].Address, _sites[server].Http)}"))
    {
        Name = $"the drill's {Product.Title} server {server + 1}",
        ServerName = Product.CertificateName(ProductPort.Server),
        Ca = _credentials.Ca,
        Certificate = _credentials.Certificate,
    });

    /// <summary>Tells a stopped server that it is the only voter: what recovers a cluster that has lost its majority for good.</summary>
    public void MakeOnlyVoter(int server)
    {
        var site = _sites[server];
        _code.WritePeers(site, [new(site.RaftId, site.RaftAddress, Voter: true)]);
    }

    /// <summary>The server that leads and has proved it by a write; null while none has.</summary>
    public async Task<int?> LeaderAsync(IEnumerable<int> servers, TimeSpan deadline, CancellationToken cancel)
    {
        foreach (var server in servers)
        {
            if (await Api(server).StandingAsync(cancel) is { Leads: true } && (await Api(server).BarrierAsync(deadline, cancel)).IsOk) return server;
        }

        return null;
    }

    private IOwnedProcess ProcessOf(int server) => _processes(NameOf(Product, server));
}
