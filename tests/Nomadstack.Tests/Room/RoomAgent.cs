// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Bootstrap;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.ColdBoot;
using Nomadstack.Health;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Room;

/// <summary>An agent of the room's node n1, wired as the daemon wires it: its flows and its files are real, products and processes are the room's. A new one is an agent's restart.</summary>
internal sealed class RoomAgent
{
    private readonly ServerHost _host;

    public RoomAgent(FakeRoom room, NodePaths paths, NodeFile node, ProductTable table, InstantTime time)
    {
        time.Passing = room.Pass;
        var membership = new Membership(paths, node, time);
        membership.Load();
        Context = new NodeContext(node, paths, membership, table, time, NullLoggerFactory.Instance);
        Dictionary<string, IProduct> products = [];
        _host = new ServerHost(node, paths, membership, table.Stack.ToDictionary(p => p.Name, p => products[p.Name] = new RoomProduct(p, room, () => Host)), Instantiate, time, NullLogger<ServerHost>.Instance);
        var scheduler = (ISchedulerProduct)products[table.Scheduler.Name];
        Operations = new OperationLog(paths, time);
        Temporary = new BootstrapServers(Context, products, Instantiate);
        var jobs = new ServerJobs(Context, scheduler);
        var gate = new Gatekeeper(Context, scheduler);
        Clients = new NodeClients(Context, scheduler, products, [.. table.Stack.Where(p => p.HasClient).Select(p => new ClientKeeper(Context, products[p.Name], (name, _) => new RoomProcess(name, room), p.FencesClient ? gate : null))]);
        Keepers = [.. table.Stack.Select(p => new ServerKeeper(Context, products[p.Name], Host, jobs, new JobKeeper(Context, jobs, Operations), Operations))];
        Bootstrap = new BootstrapOperation(Context, Temporary, Host, jobs, Clients, MintAsync);
        var found = table.Stack.ToDictionary(p => p.Name, p => (IReadOnlyList<ProductProgram>)[new(p.Name, "/bin/" + p.Name, [], new(1, 0, 0))]);
        Status = new StatusReader(Context, Host, Clients, Operations, new NodePrograms(paths, table, found, () => null), scheduler, products) { Version = "0.0.0", BootstrapPid = role => Temporary.Instance(role)?.Process.Pid };
        Operations.Load();
        Host.Load();

        ServerInstance Instantiate(ServerSite site, IProduct product) => new(site, product, Context.Endpoints, new RoomProcess(site.ProcessName, room), time);
    }

    public NodeContext Context { get; }
    public ServerHost Host => _host;
    public OperationLog Operations { get; }
    public BootstrapServers Temporary { get; }
    public NodeClients Clients { get; }
    public IReadOnlyList<ServerKeeper> Keepers { get; }
    public BootstrapOperation Bootstrap { get; }
    public StatusReader Status { get; }

    /// <summary>As the daemon begins or continues a bootstrap.</summary>
    public async Task<OperationRun> BootstrapAsync(CancellationToken cancel)
    {
        var run = Operations.Unfinished(BootstrapOperation.Kind) ?? Operations.Begin(BootstrapOperation.Kind, new ClusterRequest(1, [.. Context.Table.Stack.Select(p => p.Name)]).ToRequest());
        if (Context.Membership.Current is not null)
        {
            await Host.StartRecordedAsync(cancel);
            await Temporary.StartRecordedAsync(cancel);
        }

        await Bootstrap.RunAsync(run, cancel);
        return run;
    }

    /// <summary>As the daemon boots a member.</summary>
    public async Task BootAsync(CancellationToken cancel)
    {
        await Host.StartRecordedAsync(cancel);
        foreach (var client in Clients.OfCluster) await client.EnableAsync();
    }

    private Task MintAsync(ClusterRequest request, CancellationToken cancel)
    {
        if (Context.Membership.Current is not null) return Task.CompletedTask;
        using var pki = Pki.Mint(Context.Paths, Guid.NewGuid().ToString(), Context.Node, Context.Time);
        Context.Membership.Create(new ClusterDocument
        {
            ClusterId = pki.ClusterId,
            CreatedAt = Context.Time.GetUtcNow(),
            CaPin = pki.CaPin,
            FirstMaxServers = request.Servers,
            Nodes = new Dictionary<string, NodeEntry> { [Context.Node.Id] = new() { Id = Context.Node.Id, Name = Context.Node.Name, Address = Context.Node.Address, KeyPin = pki.KeyPin } },
        });
        Context.Membership.Set(SettingNames.Products, [.. request.Products]);
        return Task.CompletedTask;
    }
}
