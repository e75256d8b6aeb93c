// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Clients;

/// <summary>The clients of this node, one for each product that has clients, as the operations see them.</summary>
/// <param name="keepers">The keepers, in the order in which their clients start.</param>
internal sealed class NodeClients(NodeContext context, ISchedulerProduct scheduler, IReadOnlyDictionary<string, IProduct> products, IReadOnlyList<ClientKeeper> keepers)
{
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    /// <summary>The clients of the cluster's products, in the order in which they start.</summary>
    public IEnumerable<ClientKeeper> OfCluster => keepers.Where(k => context.Products.Contains(k.Product));

    /// <summary>The client that runs the jobs.</summary>
    public ClientKeeper Scheduler { get; } = keepers.Single(k => k.Product.Schedules);

    public ClientKeeper this[string product] => keepers.Single(k => k.Product.Name == product);

    /// <summary>The server list of the scheduler's client, kept up to date.</summary>
    public ServerList Servers => field ??= new(context, scheduler, () => Scheduler.Runs, Scheduler.RestartAsync);

    /// <summary>Writes the configurations again with the present servers, for the next start.</summary>
    public void Refresh()
    {
        foreach (var client in OfCluster) client.Refresh();
    }

    /// <summary>Gives the product's running client the job servers, so that it knows no others. The client keeps its list only in memory. A client that finds servers by itself needs nothing.</summary>
    public async Task PointAtJobServersAsync(Product product, CancellationToken cancel)
    {
        if (!product.HasClient || !this[product.Name].Runs || ClientApi(product) is not { } client) return;
        var servers = KnownServer.Of(context.Membership.Current, product.Name).Where(s => !s.IsBootstrap).Select(s => s.At(products[product.Name].ClientFinds)).ToList();
        if (servers.Count > 0) await client.SetServersAsync(servers, s_callDeadline, cancel);
    }

    /// <summary>Whether no configuration file and no client's server list contains a bootstrap port.</summary>
    public async Task<bool> NameNoBootstrapAsync(CancellationToken cancel)
    {
        var suffixes = context.Products.SelectMany(p => p.Ports).Where(p => p.Holder == ProductPort.Bootstrap && p.Purpose != ProductPort.Http)
            .Select(p => ":" + context.Node.Ports[p].ToString(CultureInfo.InvariantCulture)).ToList();
        foreach (var file in context.Products.SelectMany(p => new[] { context.Paths.Client(p.Name), context.Paths.Server(p.Name) }).Select(f => Path.Combine(f, "config.json")).Where(File.Exists))
        {
            var text = await File.ReadAllTextAsync(file, cancel);
            if (suffixes.Any(text.Contains)) return false;
        }

        foreach (var client in OfCluster.Select(k => ClientApi(k.Product)).OfType<IClientApi>())
        {
            if (await client.ServersAsync(s_callDeadline, cancel) is not { } servers || servers.Any(s => suffixes.Any(s.EndsWith))) return false;
        }

        return true;
    }

    /// <summary>Stops all clients in reverse order of their start.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        foreach (var keeper in keepers.Reverse()) await keeper.StopAsync(cancel);
    }

    /// <summary>Stops watching. The clients run on, and the next agent adopts them.</summary>
    public Task DetachAsync() => Task.WhenAll(keepers.Select(k => k.DetachAsync()));

    /// <summary>Moves the folders away: they belong to a cluster that was undone.</summary>
    public void Retire()
    {
        foreach (var keeper in keepers) Retirement.Retire(context.Paths, context.Paths.Client(keeper.Product.Name), keeper.ProcessName, context.Time.GetUtcNow());
    }

    private IClientApi? ClientApi(Product product) => products[product.Name].Client(context.Endpoints.OfClient(product, context.Node));
}
