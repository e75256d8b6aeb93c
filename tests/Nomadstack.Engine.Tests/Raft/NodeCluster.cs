// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Real nodes in this process: their folders are real, and so are their connections, over loopback.</summary>
internal sealed class NodeCluster(RaftOptions options, TimeProvider time) : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, Listener> _listeners = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-raft-").FullName;

    public Dictionary<string, RaftNode> Nodes { get; } = [];

    public Dictionary<string, CountingMachine> Machines { get; } = [];

    public Dictionary<string, string> Addresses { get; } = [];

    public static async Task<NodeCluster> StartAsync(int servers, RaftOptions? options = null, TimeProvider? time = null)
    {
        var cluster = new NodeCluster(options ?? new(), time ?? TimeProvider.System);
        var ids = Enumerable.Range(1, servers).Select(i => $"s{i}").ToList();
        var transports = ids.ToDictionary(id => id, id => cluster.Listen(id));
        var configuration = new RaftConfiguration(ids.Select(id => new RaftServer(id, cluster.Addresses[id], Suffrage.Voter)));
        foreach (var id in ids)
        {
            RaftStorage.Bootstrap(cluster.Files(id), configuration, cluster.Options);
            cluster.Start(id, transports[id]);
        }

        await cluster.LeaderAsync();
        return cluster;
    }

    public RaftOptions Options { get; } = options;

    public RaftFolder Files(string id) => new(Path.Combine(_folder, id));

    /// <summary>Starts a server, with what its folder holds and on the address it had.</summary>
    public RaftNode Start(string id) => Start(id, Listen(id));

    public async Task StopAsync(string id)
    {
        await Nodes[id].DisposeAsync();
        Nodes.Remove(id);
        await _listeners[id].DisposeAsync();
    }

    /// <summary>The leader that a majority follows.</summary>
    public async Task<RaftNode> LeaderAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (true)
        {
            var waits = Nodes.Values.Select(n => n.WaitUntilAsync(s => s.Leads, deadline.Token)).ToList();
            await Task.WhenAny(waits);
            if (Nodes.Values.FirstOrDefault(n => n.Status.Leads) is not { } leader) continue;
            if (await leader.ReadIndexAsync(deadline.Token) is RaftOutcome.Done) return leader;
        }
    }

    /// <summary>Writes through whoever leads, until it is certain.</summary>
    public async Task<RaftOutcome.Done> WriteAsync(string command)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (true)
        {
            if (await (await LeaderAsync()).ProposeAsync(Encoding.UTF8.GetBytes(command), deadline.Token) is RaftOutcome.Done done) return done;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var id in Nodes.Keys.ToList()) await StopAsync(id);
        Directory.Delete(_folder, recursive: true);
    }

    private TcpRaftTransport Listen(string id)
    {
        var endpoint = Addresses.TryGetValue(id, out var before) ? IPEndPoint.Parse(before) : new(IPAddress.Loopback, 0);
        var listener = _listeners[id] = new Listener(endpoint);
        var transport = new TcpRaftTransport(id, listener.Address, TimeProvider.System, NullLogger.Instance);
        Addresses[id] = listener.Address;
        listener.Serve(transport);
        return transport;
    }

    private RaftNode Start(string id, TcpRaftTransport transport)
    {
        Machines[id] = new();
        return Nodes[id] = RaftNode.Start(id, Files(id), Options, Machines[id], transport, time, NullLogger.Instance);
    }
}
