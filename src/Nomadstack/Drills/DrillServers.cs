// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Drills;

/// <summary>
/// Servers of a product that are a cluster of their own beside the real one (<see cref="LoopbackServers"/>). They cannot reach it: they know no address but each other's, and their gossip key is
/// of this drill.
/// </summary>
internal sealed class DrillServers
{
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(5);

    private readonly NodeContext _context;
    private readonly IProduct _code;
    private readonly Func<string, IOwnedProcess> _processes;
    private readonly LoopbackServers _servers;
    private readonly string _gossipKey = ClusterTrust.MakeGossipKey();

    public DrillServers(NodeContext context, IProduct code, Func<string, IOwnedProcess> processes, int count)
    {
        (_context, _code, _processes) = (context, code, processes);
        var folder = Path.Combine(context.Paths.Drill, Product.Name);
        _servers = new(context, Product, folder, "of a drill", [.. Enumerable.Range(1, count).Select(i => ($"drill-{i}", Path.Combine(folder, $"{i}")))]);
    }

    public Product Product => _code.Row;

    public int Count => _servers.Sites.Count;

    /// <summary>How this product's servers of a drill are called.</summary>
    public static string NameOf(Product product, int server) => $"{Prefix}{product.Name}-{server + 1}";

    /// <summary>How all processes of a drill begin.</summary>
    public const string Prefix = "drill-";

    /// <summary>Starts a server, or starts it again on its own data.</summary>
    public async Task StartAsync(int server, CancellationToken cancel)
    {
        var (site, process) = (_servers.Sites[server], ProcessOf(server));
        var spec = _code.PrepareDrill(site, _servers.Credentials, _gossipKey, [.. _servers.Sites.Where(s => s != site).Select(s => HostPort.Join(s.Address, s.Serf > 0 ? s.Serf : s.Rpc))]);
        await process.StartAsync(spec with { Name = process.Name, LogFile = Path.Combine(_context.Paths.Log, process.Name + ".log") }, cancel);
    }

    /// <summary>As a power cut ends it.</summary>
    public Task KillAsync(int server) => ProcessOf(server).StopAsync(Signals.SIGKILL, s_stop, CancellationToken.None);

    public IServerApi Api(int server) => _code.Server(_servers.EndpointOf(_servers.Sites[server], $"the drill's {Product.Title} server {server + 1}"));

    /// <summary>Tells a stopped server that it is the only voter: what recovers a cluster that has lost its majority for good.</summary>
    public void MakeOnlyVoter(int server)
    {
        var site = _servers.Sites[server];
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
