// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Driver;
using Nomadstack.Ground.Http;
using Nomadstack.Products;

namespace Nomadstack.Tests.Room;

/// <summary>
/// A room in which every product is made of fakes: raft clusters, jobs and clients live in memory, processes are entries of a list. What flows do with them is real.
/// </summary>
internal sealed class FakeRoom
{
    private readonly Dictionary<string, FakeRaft> _rafts = [];
    private int _placing;
    private long _index;

    /// <summary>Jobs by id: the scheduler's state, which outlives its servers.</summary>
    public Dictionary<string, FakeJob> Jobs { get; } = [];

    public List<FakeAllocation> Allocations { get; } = [];

    /// <summary>The scheduler's clients that run, by the name of their node.</summary>
    public HashSet<string> Clients { get; } = [];

    /// <summary>Nodes whose clients were not given the servers' task driver.</summary>
    public HashSet<string> WithoutDriver { get; } = [];

    /// <summary>Nodes that the scheduler's state knows, whether they are there or not.</summary>
    public HashSet<string> Registered { get; } = [];

    /// <summary>Allocations that the scheduler's state does not know, though they run.</summary>
    public HashSet<string> Forgotten { get; } = [];

    public StateNote Note { get; set; } = new("", 0);

    /// <summary>Writes that only proved a leader.</summary>
    public int Barriers { get; set; }

    /// <summary>Nodes that take no allocation any more and lose those they have.</summary>
    public HashSet<string> Drained { get; } = [];

    /// <summary>The job schema of the newest release among the agents; null for the first.</summary>
    public int? NewestSchema { get; set; }

    /// <summary>Nodes whose clients run and are refused by the leader.</summary>
    public HashSet<string> Refused { get; } = [];

    /// <summary>Tokens of client nodes that the products know.</summary>
    public Dictionary<(string Product, NodeMark Mark), string> NodeTokens { get; } = [];

    /// <summary>Processes that were given a signal.</summary>
    public List<string> Signals { get; } = [];

    /// <summary>Processes started so far.</summary>
    public int Starts { get; set; }

    /// <summary>The agents that are alive.</summary>
    public List<RoomAgent> Agents { get; } = [];

    public FakeRaft Raft(string product) => _rafts.TryGetValue(product, out var raft) ? raft : _rafts[product] = new();

    /// <summary>A cluster begins: what an undone one had in its raft and its state went with its folders.</summary>
    public void Begin()
    {
        _rafts.Clear();
        Jobs.Clear();
        Allocations.Clear();
        Registered.Clear();
        Note = new("", 0);
        Closed.Clear();
    }

    /// <summary>Products whose access control is initialised.</summary>
    public HashSet<string> Closed { get; } = [];

    /// <summary>What time brings: autopilot makes voters of servers that run beside a leader.</summary>
    public void Pass()
    {
        foreach (var raft in _rafts.Values) raft.Pass();
    }

    /// <summary>The power goes: nothing runs any more, and what is on disks and in raft stays.</summary>
    public void PowerCut()
    {
        Agents.Clear();
        Clients.Clear();
        foreach (var server in _rafts.Values.SelectMany(r => r.Servers)) server.Runs = false;
    }

    /// <summary>Registers the job, as the scheduler would: with compare-and-set where it is asked for.</summary>
    public bool Register(string json, long? enforceIndex)
    {
        var id = (string)JsonNode.Parse(json)!["ID"]!;
        if (enforceIndex is { } wanted && wanted != (Jobs.TryGetValue(id, out var held) ? held.ModifyIndex : 0)) return false;
        Jobs[id] = new(json, ++_index, Jobs.TryGetValue(id, out var before) ? before.Version + 1 : 0);
        return true;
    }

    /// <summary>Agents exchange what they know.</summary>
    public void Exchange()
    {
        foreach (var to in Agents)
        {
            foreach (var from in Agents)
            {
                if (from != to && from.Context.Membership.Current is { } told && to.Context.Membership.Current is not null) to.Context.Membership.Merge(told, from.Context.Node.Id);
            }
        }
    }

    /// <summary>The scheduler moves what a drain moves and places what is missing, as soon as it leads and clients run.</summary>
    public async Task PlaceAsync(Product scheduler, CancellationToken cancel)
    {
        if (Raft(scheduler.Name).Leader is null || Interlocked.CompareExchange(ref _placing, 1, 0) != 0) return;
        try
        {
            foreach (var allocation in Allocations.Where(a => a.Runs && Drained.Contains(a.Node)).ToList())
            {
                await StopAsync(allocation, cancel);
            }

            foreach (var (job, wanted) in Jobs.ToList())
            {
                await UpdateAsync(job, wanted, cancel);
                foreach (var surplus in Allocations.Where(a => a.Runs && a.Job == job).Skip(wanted.Count).ToList()) await StopAsync(surplus, cancel);
                foreach (var node in Clients.Where(n => !Drained.Contains(n) && !WithoutDriver.Contains(n)).Order().ToList()) await PlaceAsync(job, wanted.Count, node, cancel);
            }
        }
        finally
        {
            Volatile.Write(ref _placing, 0);
        }
    }

    /// <summary>A rolling update, one at a time; the same count of other tasks makes one.</summary>
    private async Task UpdateAsync(string job, FakeJob wanted, CancellationToken cancel)
    {
        foreach (var allocation in Allocations.Where(a => a.Runs && a.Job == job && a.Version != wanted.Version))
        {
            if (!wanted.HasSchema)
            {
                allocation.Version = wanted.Version;
            }
            else
            {
                await StopAsync(allocation, cancel);
                return;
            }
        }
    }

    private async Task StopAsync(FakeAllocation allocation, CancellationToken cancel)
    {
        if (Host(allocation.Node) is not { } host) return;
        allocation.Runs = false;
        await host.ReleaseAsync(allocation.TaskId, cancel);
    }

    private async Task PlaceAsync(string job, int count, string node, CancellationToken cancel)
    {
        var own = Allocations.Find(a => a.Runs && a.Job == job && a.Node == node);
        if (Host(node) is not { } host || (own is null && Allocations.Count(a => a.Runs && a.Job == job) >= count)) return;
        if (own is not null && host.Holds(own.TaskId) && !own.Failed) return;
        if (own is null) Allocations.Add(own = new($"alloc-{Allocations.Count}", job, node) { Version = Jobs[job].Version });
        try
        {
            await host.ClaimAsync(new ServerClaim(own.TaskId, own.Id, "server", job, job[..^"-server".Length], null), cancel);
            own.Failed = false;
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            // As Nomad does: the task's start failed, and it is started anew.
            own.Failed = true;
        }
    }

    private IServerHost? Host(string node) => Agents.Find(a => a.Context.Node.Name == node && !a.IsDead)?.Host;
}

internal sealed record FakeJob(string Json, long ModifyIndex, long Version)
{
    public bool HasSchema => JsonNode.Parse(Json)!["Schema"] is not null;

    public int Count => (int)JsonNode.Parse(Json)!["TaskGroups"]![0]![nameof(Count)]!;
}

/// <summary>An allocation of a server job.</summary>
internal sealed class FakeAllocation(string id, string job, string node)
{
    public string Id => id;
    public string Job => job;
    public string Node => node;
    public string TaskId => id + "/server/1";
    public bool Runs { get; set; } = true;
    public bool Failed { get; set; }

    /// <summary>Of its job; another count makes no other task.</summary>
    public long Version { get; set; }
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

    /// <summary>The fewest voters that ran at any look since the last time this was set.</summary>
    public int FewestVoters { get; set; } = int.MaxValue;

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
        FewestVoters = Math.Min(FewestVoters, Servers.Count(s => s is { Voter: true, Runs: true }));
    }

    /// <summary>Another configuration takes the place of the one there is.</summary>
    public void Replace(IReadOnlyList<RaftPeer> peers)
    {
        lock (_lock)
        {
            _servers.RemoveAll(s => peers.All(p => p.Id != s.Site.RaftId));
            foreach (var server in _servers) server.Voter = true;
        }
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

    public bool IsAt(Endpoint endpoint) => endpoint.Address.Host == Site.Address && endpoint.Address.Port == Site.Http;
}
