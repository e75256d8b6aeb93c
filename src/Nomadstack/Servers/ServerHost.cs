// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Driver;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Servers;

/// <summary>
/// Owns the job servers of this node. A server belongs to the node and outlives allocations, the Nomad client and this agent.
/// An allocation is a claim on it. The records on disk tell which servers exist, the process table which run.
/// </summary>
internal sealed class ServerHost(
    NodeFile node,
    NodePaths paths,
    Membership membership,
    IReadOnlyDictionary<string, IProduct> products,
    Func<ServerSite, IProduct, ServerInstance> instantiate,
    TimeProvider time,
    ILogger<ServerHost> log,
    Journal? timeline = null) : IServerHost
{
    private static readonly TimeSpan s_listenPoll = TimeSpan.FromMilliseconds(25), s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, RoleSlot> _slots = products.Keys.ToDictionary(role => role, role => new RoleSlot(ServerRecord.At(paths.Server(role))));
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _claims = new();
    private readonly List<Channel<ServerEvent>> _listeners = [];

    public IReadOnlyCollection<string> Roles => _slots.Keys;

    /// <summary>Raised with the role after each change of a server of this node: claimed, released, started, gone. Handlers must be quick.</summary>
    public event Action<string>? Changed;

    /// <summary>Job servers recorded on this node, by role.</summary>
    public IReadOnlyList<(ServerRecord Record, ServerInstance Instance)> Servers =>
        [.. _slots.Keys.Select(Server).OfType<(ServerRecord, ServerInstance)>()];

    /// <summary>The job server of a role, if one is recorded here.</summary>
    public (ServerRecord Record, ServerInstance Instance)? Server(string role) =>
        _slots.GetValueOrDefault(role)?.Held is { } held ? (held.Record, held.Instance) : null;

    /// <summary>
    /// Reads the records. Must run before any claim: a claim without the record would treat a running server as unknown.
    /// </summary>
    /// <exception cref="ProblemException">A record is damaged. Nothing is started then.</exception>
    public void Load()
    {
        foreach (var slot in _slots.Values)
        {
            if (slot.File.Read() is not { } record) continue;
            Load(slot, record);
            if (record.Claim is { } claim) _claims.TryAdd(claim.TaskId, NewSource());
        }
    }

    /// <summary>
    /// Starts or adopts every recorded server at once: the first act of a cold boot. If only the agent restarted, nothing else is needed.
    /// </summary>
    public async Task StartRecordedAsync(CancellationToken cancel)
    {
        await Task.WhenAll(_slots.Select(pair => LockedAsync(pair.Key, async slot =>
        {
            if (slot.Record is not { } record) return;
            // A server that was leaving is started only if the others need it (HandOver decides); one whose address has changed, when its peers can know that.
            // Data of a past that was given up is not started any more, only retired.
            if (IsDisplaced(record, slot.Instance!) || record.Epoch < Epoch(record.Role)) await slot.Instance!.StopAsync(cancel);
            else if (!record.Leaving || await slot.Instance!.RunsAsync(cancel)) await StartAsync(slot, cancel);
        }, cancel)));
        PublishEntries();
    }

    /// <summary>
    /// Waits until every started server listens, or the time is over. The agent's other work can run during their election,
    /// but must not take CPU time from them before it.
    /// </summary>
    public async Task WaitUntilListeningAsync(TimeSpan most, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        foreach (var (_, instance) in Servers)
        {
            while (instance.Process.Pid is not null && !await instance.ListensAsync(cancel) && time.GetElapsedTime(started) < most) await Task.Delay(s_listenPoll, time, cancel);
        }
    }

    /// <summary>Whether this node's own server of a role leads, by its own word: the cheapest of all questions.</summary>
    public async Task<bool> LeadsAsync(string role, CancellationToken cancel) =>
        Server(role) is var (_, instance) && await instance.Api.LeaderAsync(s_callDeadline, cancel) == HostPort.Join(instance.Site.Address, instance.Site.Rpc);

    public async Task ClaimAsync(ServerClaim claim, CancellationToken cancel)
    {
        if (!_slots.ContainsKey(claim.Role))
            throw new ProblemException(ServerProblems.UnknownRole(claim.Role, _slots.Keys));
        if (claim.JobId != products[claim.Role].Row.JobId)
            throw new ProblemException(ServerProblems.NotItsJob(claim.Role, claim.JobId, products[claim.Role].Row.JobId));
        await LockedAsync(claim.Role, async slot =>
        {
            var record = slot.Record;
            if (record is { Leaving: true })
                throw new ProblemException(ServerProblems.Leaving(claim.Role));
            if (record is null)
            {
                record = new ServerRecord { Role = claim.Role, RaftId = Guid.NewGuid().ToString(), Claim = claim, Version = claim.Version, Address = AddressOf(claim.Role), Epoch = Epoch(claim.Role) };
                var created = record;
                await Fault.AroundAsync("record-" + claim.Role, () => Save(slot, created));
                Load(slot, record);
            }
            else if (record.Claim != claim)
            {
                if (record.Version != claim.Version) await ChangeVersionAsync(slot, claim.Version, cancel);
                await Save(slot, record with { Claim = claim, Version = claim.Version, ReleasedAt = null });
                if (record.Claim is { } old && old.TaskId != claim.TaskId) Complete(old.TaskId);
            }

            _claims.TryAdd(claim.TaskId, NewSource());
            // Its address has changed, and whoever looks after that starts it.
            if (!IsDisplaced(slot.Record!, slot.Instance!)) await Fault.AroundAsync("start-" + claim.Role + "-server", () => StartAsync(slot, cancel));
        }, cancel);
        PublishEntries();
        Changed?.Invoke(claim.Role);
        timeline?.Tell(EventKinds.Claimed, $"Allocation {claim.AllocId} claims the {claim.Role} server of this node.", (EventFields.Role, claim.Role), (EventFields.Allocation, claim.AllocId));
        log.LogInformation("The {Role} server is claimed by allocation {Allocation}", claim.Role, claim.AllocId);
    }

    public async Task ReleaseAsync(string taskId, CancellationToken cancel)
    {
        string? released = null;
        foreach (var role in _slots.Keys)
        {
            await LockedAsync(role, async slot =>
            {
                if (slot.Record is not { Claim: { } claim } record || claim.TaskId != taskId) return;
                await Save(slot, record with { Claim = null, ReleasedAt = time.GetUtcNow() });
                timeline?.Tell(EventKinds.Released, $"Allocation {claim.AllocId} has released the {role} server of this node, which lingers.", (EventFields.Role, role), (EventFields.Allocation, claim.AllocId));
                log.LogInformation("Allocation {Allocation} released the {Role} server. The server lingers until it is no longer needed", claim.AllocId, role);
                released = role;
            }, cancel);
        }

        PublishEntries();
        Complete(taskId);
        if (released is not null) Changed?.Invoke(released);
    }

    public Task ReleasedAsync(string taskId, CancellationToken cancel) =>
        _claims.TryGetValue(taskId, out var source) ? source.Task.WaitAsync(cancel) : Task.CompletedTask;

    public bool Holds(string taskId) => _slots.Values.Any(s => s.Record?.Claim?.TaskId == taskId);

    /// <summary>How a server's process ended and what it said, where it does not run on; else empty.</summary>
    public string HowItEnded(string role) => _slots.GetValueOrDefault(role)?.Instance?.Process.Status.HowItEnded(time.GetUtcNow()) ?? "";

    public int? Pid(string role) => _slots.GetValueOrDefault(role)?.Instance?.Process.Pid;

    public string LogFile(string role) => Path.Combine(paths.Log, role + "-server.log");

    public void Signal(string role, int signal)
    {
        if (_slots.GetValueOrDefault(role)?.Instance is not { } instance || instance.Process.Pid is null)
            throw new ProblemException(ServerProblems.NotRunning(role));
        if (signal is not (Signals.SIGHUP or Signals.SIGUSR1))
            throw new ProblemException(ServerProblems.SignalRefused(role, signal));
        instance.Process.Signal(signal);
    }

    public async IAsyncEnumerable<ServerEvent> EventsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var channel = Channel.CreateBounded<ServerEvent>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_listeners) _listeners.Add(channel);
        try
        {
            await foreach (var e in channel.Reader.ReadAllAsync(cancel)) yield return e;
        }
        finally
        {
            lock (_listeners) _listeners.Remove(channel);
        }
    }

    /// <summary>Adds a line to the events of the allocation that claims the role, if one does.</summary>
    public void Tell(string role, string message)
    {
        Changed?.Invoke(role);
        if (_slots.GetValueOrDefault(role)?.Record?.Claim is not { } claim) return;
        lock (_listeners)
        {
            foreach (var listener in _listeners) listener.Writer.TryWrite(new ServerEvent(claim, time.GetUtcNow(), message));
        }
    }

    /// <summary>Records that the server was a caught-up voter: from now on its data may be the cluster's data.</summary>
    public Task MarkVoterAsync(string role, CancellationToken cancel) => LockedAsync(role, async slot =>
    {
        if (slot.Record is { WasVoter: false } record) await Save(slot, record with { WasVoter = true });
    }, cancel);

    /// <summary>
    /// Takes a server that no allocation claims out of its cluster and retires its folder. The intent is written first:
    /// from then on no allocation can claim it, and a killed agent continues here.
    /// </summary>
    /// <returns>False if an allocation has claimed it meanwhile. Then nothing was done.</returns>
    public async Task<bool> HandOverAsync(string role, Action<string> say, CancellationToken cancel)
    {
        var intended = false;
        await LockedAsync(role, async slot =>
        {
            if (slot.Record is not { Claim: null } record) return;
            if (!record.Leaving) await Fault.AroundAsync("intend-leave-" + role, () => Save(slot, record with { Leaving = true }));
            intended = true;
        }, cancel);
        if (!intended) return false;

        var instance = _slots[role].Instance!;
        await instance.LeaveClusterAsync(() => [.. KnownServer.Of(membership.Current, role).Where(s => s.Entry.RaftId != instance.Site.RaftId)], say, cancel);
        await LockedAsync(role, async slot =>
        {
            await Fault.AroundAsync("retire-" + role, () =>
            {
                instance.Retire(paths);
                return Task.CompletedTask;
            });
            await instance.Process.ForgetAsync(cancel);
            slot.Held = null;
        }, cancel);
        PublishEntries();
        Changed?.Invoke(role);
        timeline?.Tell(EventKinds.Left, $"The {role} server of this node has left its cluster; others have taken its place.", (EventFields.Role, role));
        log.LogInformation("The {Role} server left the cluster and was retired", role);
        return true;
    }

    /// <summary>Starts a server that was leaving when the power was cut: the others cannot go on without its vote.</summary>
    public Task StartLeavingAsync(string role, CancellationToken cancel) =>
        LockedAsync(role, slot => slot.Instance is null ? Task.CompletedTask : StartAsync(slot, cancel), cancel);

    /// <summary>Whether the server's raft peers know it by another address than the one it has now.</summary>
    public bool IsDisplaced(string role) => Server(role) is var (record, instance) && IsDisplaced(record, instance);

    /// <summary>Writes down by which address its peers know a server of an older release's record, before this node goes by another one.</summary>
    public static void RememberAddresses(NodePaths paths, NodeFile node, ProductTable table)
    {
        foreach (var product in table.Stack)
        {
            var file = ServerRecord.At(paths.Server(product.Name));
            if (file.Read() is { Address: null } record) file.Write(record with { Address = HostPort.Join(node.Address, node.Ports.Of(product, ProductPort.Server, ProductPort.Rpc)) });
        }
    }

    /// <summary>Starts a server under its new address with the raft configuration that it has: its peers will learn the address from it. Does nothing if it runs.</summary>
    public Task StartDisplacedAsync(string role, CancellationToken cancel) => LockedAsync(role, slot => slot.Record is { Leaving: false } ? StartAsync(slot, cancel) : Task.CompletedTask, cancel);

    /// <summary>Starts a server with another raft configuration. One that runs is stopped for it.</summary>
    public Task ReplacePeersAsync(string role, IReadOnlyList<RaftPeer> peers, CancellationToken cancel) => LockedAsync(role, async slot =>
    {
        if (slot.Instance is not { } instance) return;
        await instance.StopAsync(cancel);
        await Fault.AroundAsync("peers-" + role, () =>
        {
            instance.Product.WritePeers(instance.Site, peers);
            return Task.CompletedTask;
        });
        await StartAsync(slot, cancel);
    }, cancel);

    /// <summary>Its peers know the server by its present address.</summary>
    public Task SettleAddressAsync(string role, CancellationToken cancel) => LockedAsync(role, async slot =>
    {
        if (slot is { Record: { } record, Instance: { } instance } && record.Address != instance.Site.RaftAddress) await Save(slot, record with { Address = instance.Site.RaftAddress });
    }, cancel);

    /// <summary>The server's data is what goes on after a majority was given up: durable before anybody hears of the new epoch, for whoever has an older one retires its data.</summary>
    public Task EnterEpochAsync(string role, int epoch, CancellationToken cancel) => LockedAsync(role, async slot =>
    {
        if (slot.Record is { } record && record.Epoch < epoch) await Save(slot, record with { Epoch = epoch, Leaving = false });
    }, cancel);

    /// <summary>Stops a server whose data is of a past that was given up, and moves its folder to <c>retired/</c>. Its claim ends, so that the scheduler may place a blank one.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> RetireOldEpochAsync(string role, CancellationToken cancel)
    {
        var retired = false;
        await LockedAsync(role, async slot =>
        {
            if (slot is not { Record: { } record, Instance: { } instance } || record.Epoch >= Epoch(role)) return;
            // At once: with another such server it could elect a leader.
            await instance.KillAsync(cancel);
            await Fault.AroundAsync("retire-old-" + role, () =>
            {
                instance.Retire(paths);
                return Task.CompletedTask;
            });
            await instance.Process.ForgetAsync(cancel);
            slot.Held = null;
            if (record.Claim is { } claim) Complete(claim.TaskId);
            retired = true;
        }, cancel);
        if (!retired) return false;
        PublishEntries();
        Changed?.Invoke(role);
        return true;
    }

    private int Epoch(string role) => membership.Settings?.RecoveryEpoch(role) ?? 0;

    private string AddressOf(string role) => ServerSite.Job(products[role].Row, node, paths, "").RaftAddress;

    private static bool IsDisplaced(ServerRecord record, ServerInstance instance) => record.Address is { } known && known != instance.Site.RaftAddress;

    /// <summary>Writes every server's configuration again, so that the next start, also one after a crash, knows the present peers and program. Running processes do not change.</summary>
    public async Task RefreshConfigurationsAsync(CancellationToken cancel)
    {
        foreach (var role in _slots.Keys)
        {
            await LockedAsync(role, slot =>
            {
                if (slot.Instance is { } instance) instance.Process.Renew(instance.Prepare(JoinList(instance.Site), Voters(instance.Site.Role), slot.Record?.Version));
                return Task.CompletedTask;
            }, cancel);
        }
    }

    /// <summary>Stops a running server and starts it with the present configuration, as the same raft peer. Whoever needs it waits as long as its start takes.</summary>
    public Task RestartAsync(string role, CancellationToken cancel) => LockedAsync(role, async slot =>
    {
        if (slot.Instance is not { } instance || !await instance.RunsAsync(cancel)) return;
        await instance.StopAsync(cancel);
        await StartAsync(slot, cancel);
    }, cancel);

    /// <summary>Stops every server process without a leave: the node goes down, and the servers stay in the raft configuration.</summary>
    public Task StopAllAsync(CancellationToken cancel) => Task.WhenAll(_slots.Keys.Select(role => LockedAsync(role, slot => slot.Instance?.StopAsync(cancel) ?? Task.CompletedTask, cancel)));

    /// <summary>Stops every server and moves its folder aside: part of undoing a failed bootstrap.</summary>
    public async Task DropAllAsync(CancellationToken cancel)
    {
        foreach (var role in _slots.Keys)
        {
            await LockedAsync(role, async slot =>
            {
                if (slot is not { Record: { } record, Instance: { } instance }) return;
                if (record.Claim is { } claim) Complete(claim.TaskId);
                await instance.StopAsync(cancel);
                instance.Retire(paths);
                await instance.Process.ForgetAsync(cancel);
                slot.Held = null;
            }, cancel);
        }
    }

    /// <summary>Tells the other nodes which servers are here, and which keys each has copied. Writes nothing if nothing changed.</summary>
    public void PublishEntries()
    {
        if (membership.Current is null) return;
        var jobs = Servers.Select(s => s.Instance.Site.ToEntry(s.Record.State == "running" ? "running" : "lingering") with { Keys = string.Join(',', s.Instance.Product.KeysOnDisk(s.Instance.Site).Order(StringComparer.Ordinal)) }).ToList();
        membership.UpdateSelf(self =>
        {
            IReadOnlyList<ServerEntry> entries = [.. jobs, .. self.Servers.Where(s => s.ManagedBy == "bootstrap")];
            return entries.SequenceEqual(self.Servers) ? self : self with { Servers = entries };
        });
    }

    /// <summary>Only for a server's first start. Later the keeper updates autopilot's minimum.</summary>
    private int Voters(string role) => KnownServer.Of(membership.Current, role).Count(s => s.IsClaimed);

    private Task StartAsync(RoleSlot slot, CancellationToken cancel) =>
        slot.Instance!.StartAsync(JoinList(slot.Instance.Site), Voters(slot.Instance.Site.Role), slot.Record!.Version, cancel);

    /// <summary>
    /// Ends the running process so that the next start uses the other binary, on the same data and so as the same raft peer. Only while the others
    /// have a quorum without it. A single server is away for as long as its start takes.
    /// </summary>
    /// <exception cref="ProblemException"><c>engine/version-missing</c>, or <c>driver/quorum</c>: Nomad then tries again.</exception>
    private async Task ChangeVersionAsync(RoleSlot slot, string? version, CancellationToken cancel)
    {
        var instance = slot.Instance!;
        instance.Prepare(JoinList(instance.Site), Voters(instance.Site.Role), version);
        if (!await instance.RunsAsync(cancel)) return;
        var voters = (await instance.ObserveAsync(cancel))?.Members.Where(m => m.Voter).ToList() ?? [];
        var others = voters.Count(m => m.Healthy && m.RaftId != instance.Site.RaftId);
        if (voters.Count != 1 && others <= voters.Count / 2)
            throw new ProblemException(ServerProblems.QuorumNeedsIt(slot.Record!.Role, version, others, voters.Count));
        await instance.StepAsideAsync(voters, cancel);
    }

    private IReadOnlyList<string> JoinList(ServerSite site) =>
        [.. KnownServer.Of(membership.Current, site.Role).Where(s => !s.IsBootstrap && s.Entry.RaftId != site.RaftId).Select(s => s.JoinAddress)];

    private void Load(RoleSlot slot, ServerRecord record)
    {
        slot.Held = new(record, slot.Instance ?? instantiate(ServerSite.Job(products[record.Role].Row, node, paths, record.RaftId), products[record.Role]));
    }

    private static Task Save(RoleSlot slot, ServerRecord record)
    {
        slot.File.Write(record);
        if (slot.Held is { } held) slot.Held = held with { Record = record };
        return Task.CompletedTask;
    }

    private void Complete(string taskId)
    {
        if (_claims.TryRemove(taskId, out var source)) source.TrySetResult();
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task LockedAsync(string role, Func<RoleSlot, Task> act, CancellationToken cancel)
    {
        var slot = _slots[role];
        await slot.Lock.WaitAsync(cancel);
        try
        {
            await act(slot);
        }
        finally
        {
            slot.Lock.Release();
        }
    }

    private sealed record Held(ServerRecord Record, ServerInstance Instance);

    private sealed class RoleSlot(DurableFile<ServerRecord> file)
    {
        public SemaphoreSlim Lock { get; } = new(1, 1);
        public DurableFile<ServerRecord> File { get; } = file;

        /// <summary>Record and instance in one object, so that nobody sees one without the other.</summary>
        public Held? Held { get; set; }
        public ServerRecord? Record => Held?.Record;
        public ServerInstance? Instance => Held?.Instance;
    }
}
