// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Nomadstack.Tests.Peers;
using Shouldly;

namespace Nomadstack.Tests.Room;

/// <summary>Nodes of the room that run the scheduler and a product which no release knows: its row and its own code are all there is of it.</summary>
internal sealed class RoomStack : IDisposable
{
    private static readonly Product s_fourth = new()
    {
        Name = "fourth",
        Title = "Fourth",
        Security = new("room"),
        Ports =
        [
            new("fourth", ProductPort.Server, ProductPort.Http, 9101, "Fourth server HTTP"), new("fourth", ProductPort.Server, ProductPort.Rpc, 9102, "Fourth server raft"),
            new("fourth", ProductPort.Bootstrap, ProductPort.Http, 19101, "Fourth bootstrap server HTTP"), new("fourth", ProductPort.Bootstrap, ProductPort.Rpc, 19102, "Fourth bootstrap server raft"),
        ],
    };

    /// <summary>In memory: what is tried here is not the disk.</summary>
    private readonly string _folder = Directory.CreateDirectory(Path.Combine("/dev/shm", "nomadstack-room-" + Guid.NewGuid().ToString()[..8])).FullName;

    private readonly Dictionary<int, NodeFile> _nodes = [], _lost = [];
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));

    public static ProductTable Table { get; } = new([s_fourth, Role.Row(Role.Nomad)]);

    public FakeRoom Room { get; } = new();

    public InstantTime Time { get; } = new();

    public CancellationToken Limit => _limit.Token;

    /// <summary>Agents that are to live, by number.</summary>
    public IEnumerable<RoomAgent> Agents => _nodes.Keys.Order().Select(Agent);

    /// <summary>The node's agent: the one that lives, or a new one on its folder.</summary>
    public RoomAgent Agent(int number) => Room.Agents.Find(a => a.Context.Node.Id == Node(number).Id && !a.IsDead) ?? new(Room, new NodePaths(Path.Combine(_folder, "n" + number)), Node(number), Table, Time);

    /// <summary>A machine is gone with all that ran on it. Its disk is kept for <see cref="Return"/>.</summary>
    public void Lose(int number)
    {
        var gone = Agent(number);
        gone.IsDead = true;
        Room.Agents.Remove(gone);
        Room.Clients.Remove(gone.Context.Node.Name);
        foreach (var server in Table.Stack.SelectMany(p => Room.Raft(p.Name).Servers).Where(s => s.Site.Address == gone.Context.Node.Address)) server.Runs = false;
        _lost[number] = _nodes[number];
        _nodes.Remove(number);
    }

    /// <summary>A lost machine comes back with the disk that it had.</summary>
    public void Return(int number)
    {
        _nodes[number] = _lost[number];
        _lost.Remove(number);
    }

    /// <summary>Every agent dies; what they started does not.</summary>
    public void KillAgents()
    {
        foreach (var agent in Room.Agents) agent.IsDead = true;
    }

    /// <summary>A cluster of this many nodes, at rest, all with servers as far as they are to have any.</summary>
    public async Task<RoomStack> MakeAsync(int nodes, int servers)
    {
        (await Agent(1).BootstrapAsync(servers, Limit)).Current.State.ShouldBe(Operation.Finished);
        for (var number = 2; number <= nodes; number++) await Agent(number).JoinAsync(Agent(1), Limit);
        await SettleAsync();
        return this;
    }

    /// <summary>Lets a client node in, and lets it settle.</summary>
    public async Task<RoomAgent> LetInClientAsync(int number)
    {
        await Agent(number).JoinAsync(Agent(1), Limit, client: true);
        await SettleAsync();
        return Agent(number);
    }

    /// <summary>Lets time pass until the cluster is healthy in everybody's eyes and nothing lingers.</summary>
    public Task SettleAsync() => UntilAsync("healthy, nothing lingering", async () =>
    {
        foreach (var agent in Agents)
        {
            var status = await agent.Status.ReadAsync(Limit);
            if (status.Cluster.State != "healthy" || status.Servers.Any(s => s.State != "running")) return false;
        }

        return true;
    });

    public async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        for (var round = 0; !await condition(); round++)
        {
            round.ShouldBeLessThan(200, $"{what}: {string.Join("; ", await Task.WhenAll(Agents.Select(async a => a.Context.Node.Name + ": " + (await a.Status.ReadAsync(Limit)).Cluster.InWords())))}");
            Room.Exchange();
            foreach (var agent in Agents.ToList()) await agent.RoundAsync(Limit);
            Room.Pass();
            await Task.Delay(TimeSpan.FromSeconds(1), Time, Limit);
        }
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _limit.Dispose();
    }

    private NodeFile Node(int number)
    {
        if (_nodes.TryGetValue(number, out var node)) return node;
        var address = "127.0.0." + number;
        return _nodes[number] = new() { Id = Guid.NewGuid().ToString(), Name = "n" + number, Address = address, Ports = new PortPlan { Peers = TestNode.FreePort(address) } };
    }
}
