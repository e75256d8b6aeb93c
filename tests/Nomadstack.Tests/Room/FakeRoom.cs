// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Driver;
using Nomadstack.Products;

namespace Nomadstack.Tests.Room;

/// <summary>
/// A room in which every product is made of fakes: raft clusters, jobs and clients live in memory, processes are entries of a list. What flows do with them is real.
/// </summary>
internal sealed class FakeRoom
{
    private readonly Dictionary<string, FakeRaft> _rafts = [];

    /// <summary>Jobs by id, with their counts: the scheduler's state, which outlives its servers.</summary>
    public Dictionary<string, int> Jobs { get; } = [];

    /// <summary>Names of the clients that run.</summary>
    public HashSet<string> Clients { get; } = [];

    public FakeRaft Raft(string product) => _rafts.TryGetValue(product, out var raft) ? raft : _rafts[product] = new();

    /// <summary>What time brings: autopilot makes voters of servers that run beside a leader.</summary>
    public void Pass()
    {
        foreach (var raft in _rafts.Values) raft.Pass();
    }

    /// <summary>The power goes: nothing runs any more, and what is on disks and in raft stays.</summary>
    public void PowerCut()
    {
        Clients.Clear();
        foreach (var server in _rafts.Values.SelectMany(r => r.Servers)) server.Runs = false;
    }

    /// <summary>The scheduler places what is missing, as soon as it leads and the node's client runs.</summary>
    public async Task PlaceAsync(Product scheduler, IServerHost host, CancellationToken cancel)
    {
        if (Raft(scheduler.Name).Leader is null || !Clients.Contains(scheduler.Name + "-client")) return;
        foreach (var (job, count) in Jobs.ToList())
        {
            var (role, task) = (job[..^"-server".Length], $"alloc-{job}/server/1");
            if (count > 0 && !host.Holds(task)) await host.ClaimAsync(new ServerClaim(task, "alloc-" + job, "server", job, role, null), cancel);
        }
    }
}

/// <summary>One product's raft cluster.</summary>
internal sealed class FakeRaft
{
    private readonly Lock _lock = new();
    private readonly List<FakeServer> _servers = [];

    public IReadOnlyList<FakeServer> Servers
    {
        get
        {
            lock (_lock) return [.. _servers];
        }
    }

    public FakeServer? Leader => Servers.Where(s => s.Voter).ToList() is var voters && voters.Count(v => v.Runs) > voters.Count / 2 ? voters.First(v => v.Runs) : null;

    /// <summary>A server that some configuration names gets its place; the first of all makes the cluster.</summary>
    public FakeServer Enter(ServerSite site)
    {
        lock (_lock)
        {
            if (_servers.Find(s => s.Site.RaftId == site.RaftId) is { } known) return known;
            var entered = new FakeServer(site) { Voter = _servers.Count == 0 };
            _servers.Add(entered);
            return entered;
        }
    }

    /// <summary>It leaves: the configuration no longer names it.</summary>
    public void Leave(string raftId)
    {
        lock (_lock) _servers.RemoveAll(s => s.Site.RaftId == raftId);
    }

    public void Pass()
    {
        if (Leader is null) return;
        foreach (var server in Servers.Where(s => s.Runs)) server.Voter = true;
    }
}

/// <summary>One server, with the place that its node gave it.</summary>
internal sealed class FakeServer(ServerSite site)
{
    public ServerSite Site { get; } = site;

    public bool Runs { get; set; }

    public bool Voter { get; set; }

    public string RaftAddress => $"{Site.Address}:{Site.Rpc}";
}
