// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>Servers in memory: they keep what they are told and wake whoever waits for a change.</summary>
internal sealed class FakeServers : IServers
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Allocation> _allocations = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = New();
    private long _index = 1;

    public Node? Node { get; private set; }

    public int Registrations { get; private set; }

    public int Heartbeats { get; private set; }

    /// <summary>Nobody answers.</summary>
    public bool Unreachable { get; set; }

    public TimeSpan Ttl { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the next list says instead of the truth.</summary>
    public NodeAllocations? Lie { get; set; }

    /// <summary>An allocation of another node.</summary>
    public Allocation? Elsewhere { get; set; }

    /// <summary>Ids of allocations that were asked for one by one.</summary>
    public HashSet<string> AskedFor { get; } = [];

    /// <summary>Updates in the order in which they came.</summary>
    public List<ClientUpdate> Updates { get; } = [];

    public long Index
    {
        get
        {
            lock (_gate) return _index;
        }
    }

    public Allocation Get(string id)
    {
        lock (_gate) return _allocations[id];
    }

    public Allocation Place(Job job, string group = "g", Func<Allocation, Allocation>? with = null)
    {
        var allocation = new Allocation
        {
            ID = Guid.NewGuid().ToString(),
            Name = Allocation.NameOf(job.ID, group, 0),
            JobID = job.ID,
            Job = job,
            TaskGroup = group,
            NodeID = Node?.ID ?? "",
            NodeName = Node?.Name ?? "",
            DesiredStatus = DesiredStatus.Run,
            ClientStatus = ClientStatus.Pending,
            AllocatedResources = new() { Tasks = job.Group(group)!.Tasks.ToDictionary(t => t.Name, t => new AllocatedTaskResources { Cpu = new() { CpuShares = t.Resources.CPU }, Memory = new() { MemoryMB = t.Resources.MemoryMB } }) },
        };
        return Put((with ?? (a => a))(allocation));
    }

    public Allocation Put(Allocation allocation) => Change(() => _allocations[allocation.ID] = allocation with { AllocModifyIndex = _index, ModifyIndex = _index });

    public void Stop(string id) => Put(Get(id) with { DesiredStatus = DesiredStatus.Stop });

    public void Remove(string id) => Change(() => _allocations.Remove(id));

    public void Forget() => Change(() => Node = null);

    /// <summary>Wakes waiters as every change does.</summary>
    public void Wake() => Change(() => 0);

    /// <summary>The allocation, once it is as wanted.</summary>
    public async Task<Allocation> WhenAsync(string id, Func<Allocation, bool> wanted)
    {
        using var deadline = new CancellationTokenSource(Wait.Deadline);
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (_allocations.TryGetValue(id, out var now) && wanted(now)) return now;
                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException e)
            {
                var events = string.Join("\n", (Get(id).TaskStates ?? new Dictionary<string, TaskState>()).SelectMany(t => (t.Value.Events ?? []).Select(v => $"{t.Key}: {v.Type}: {v.DisplayMessage}")));
                throw new TimeoutException($"allocation is {Get(id).ClientStatus}\n{events}", e);
            }
        }
    }

    public Task<Allocation> WhenAsync(string id, string clientStatus) => WhenAsync(id, a => a.ClientStatus == clientStatus);

    public async Task WhenAsync(Func<bool> wanted)
    {
        using var deadline = new CancellationTokenSource(Wait.Deadline);
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (wanted()) return;
                changed = _changed.Task;
            }

            await changed.WaitAsync(deadline.Token);
        }
    }

    public Task<TimeSpan> RegisterAsync(Node node, CancellationToken cancel)
    {
        Answer();
        Change(() =>
        {
            Node = node;
            return Registrations++;
        });
        return Task.FromResult(Ttl);
    }

    public Task<TimeSpan?> HeartbeatAsync(string nodeId, string secretId, CancellationToken cancel)
    {
        Answer();
        return Task.FromResult<TimeSpan?>(Change(() =>
        {
            Heartbeats++;
            return Node is null ? (TimeSpan?)null : Ttl;
        }, silent: true));
    }

    public async Task<NodeAllocations> NodeAllocationsAsync(string nodeId, string secretId, long after, CancellationToken cancel)
    {
        while (true)
        {
            Answer();
            Task changed;
            lock (_gate)
            {
                if (Lie is { } lie)
                {
                    Lie = null;
                    return lie;
                }

                if (_index > after) return new(_index, _allocations.ToDictionary(a => a.Key, a => a.Value.AllocModifyIndex));
                changed = _changed.Task;
            }

            await changed.WaitAsync(cancel);
        }
    }

    public async Task<AllocationsFound> AllocationsAsync(IReadOnlyList<string> ids, string secretId, long after, CancellationToken cancel)
    {
        while (true)
        {
            Answer();
            Task changed;
            lock (_gate)
            {
                if (ids.Count == 1 && AskedFor.Add(ids[0])) _changed.TrySetResult();
                if (_changed.Task.IsCompleted) _changed = New();
                if (_index > after) return new(_index, [.. ids.Select(i => _allocations.GetValueOrDefault(i) ?? (Elsewhere?.ID == i ? Elsewhere : null)).OfType<Allocation>()]);
                changed = _changed.Task;
            }

            await changed.WaitAsync(cancel);
        }
    }

    public Task UpdateAsync(string nodeId, string secretId, IReadOnlyList<ClientUpdate> updates, CancellationToken cancel)
    {
        Answer();
        Change(() =>
        {
            foreach (var update in updates)
            {
                Updates.Add(update);
                if (_allocations.TryGetValue(update.ID, out var known))
                    _allocations[update.ID] = known with { ClientStatus = update.ClientStatus, ClientDescription = update.ClientDescription, TaskStates = update.TaskStates, DeploymentStatus = update.DeploymentStatus };
            }

            return 0;
        });
        return Task.CompletedTask;
    }

    private void Answer()
    {
        if (Unreachable) throw new NoServerException("nobody answers");
    }

    private T Change<T>(Func<T> change, bool silent = false)
    {
        TaskCompletionSource changed;
        T result;
        lock (_gate)
        {
            if (!silent) _index++;
            result = change();
            (changed, _changed) = (_changed, New());
        }

        changed.TrySetResult();
        return result;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
