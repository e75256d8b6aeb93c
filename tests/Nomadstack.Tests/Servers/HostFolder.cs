// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Driver;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Servers;
using Nomadstack.Storage;
using Nomadstack.Tests.Processes;

namespace Nomadstack.Tests.Servers;

/// <summary>One node's data folder on which agents come and go; the processes are real and ended with it.</summary>
internal sealed class HostFolder : IAsyncDisposable
{
    private readonly ProcessFolder _processes = new();
    private readonly List<SupervisedProcess> _supervised = [];

    public HostFolder()
    {
        Paths = new NodePaths(_processes.Path);
        Membership = new Membership(Paths, Node, TimeProvider.System);
        Products = Role.All.ToDictionary(r => r, r => new FakeProduct(Role.Row(r), Paths));
    }

    public NodePaths Paths { get; }

    public NodeFile Node { get; } = new() { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1" };

    public Membership Membership { get; }

    public Dictionary<string, FakeProduct> Products { get; }

    /// <summary>The agent of the moment: what an earlier one recorded is read, nothing is started.</summary>
    public ServerHost Host()
    {
        var host = new ServerHost(Node, Paths, Membership, Products.ToDictionary(p => p.Key, p => (IProduct)p.Value), Instantiate, TimeProvider.System, NullLogger<ServerHost>.Instance);
        host.Load();
        return host;
    }

    /// <summary>The agent dies: its processes live on.</summary>
    public async Task KillAgentAsync()
    {
        foreach (var process in _supervised) await process.DisposeAsync();
        _supervised.Clear();
    }

    /// <summary>Makes this node and one more, with a Nomad server claimed there, a cluster.</summary>
    public KnownServer JoinCluster()
    {
        var self = new NodeEntry { Id = Node.Id, Name = Node.Name, Address = Node.Address };
        var peer = new ServerEntry(Role.Nomad, Guid.NewGuid().ToString(), "job", "running", 4649, 4647, 4648);
        var other = new NodeEntry { Id = Guid.NewGuid().ToString(), Name = "n2", Address = "127.0.0.2", Servers = [peer] };
        Membership.Create(new ClusterDocument
        {
            ClusterId = Guid.NewGuid().ToString(),
            CreatedAt = TimeProvider.System.GetUtcNow(),
            CaPin = new string('a', 64),
            Nodes = new Dictionary<string, NodeEntry> { [self.Id] = self, [other.Id] = other },
        });
        return new(other.Id, other.Name, other.Address, peer);
    }

    public ServerRecord? Record(string role = Role.Nomad) => ServerRecord.At(Paths.Server(role)).Read();

    public bool IsAlive(int? pid) => pid is { } p && _processes.Living().Contains(p);

    public int Living => _processes.Living().Count;

    public static ServerClaim Claim(string task = "alloc-1/server/a", string role = Role.Nomad) =>
        new(task, task.Split('/')[0], "server", role + "-server", role, null);

    public async ValueTask DisposeAsync()
    {
        await KillAgentAsync();
        _processes.Dispose();
    }

    private ServerInstance Instantiate(ServerSite site, IProduct product)
    {
        var process = new SupervisedProcess(site.ProcessName, Paths.Processes, _processes.Spawner, _processes.Watcher, TimeProvider.System);
        _supervised.Add(process);
        return new(site, product, new ProductEndpoints(null), process, TimeProvider.System);
    }
}
