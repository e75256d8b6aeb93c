// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What shall run here, and what is over.</summary>
internal sealed partial class ClientAgent
{
    /// <summary>Ended before this client knew of them; there is nothing to run and nothing to tell.</summary>
    private readonly ConcurrentDictionary<string, bool> _over = new(StringComparer.Ordinal);

    /// <summary>Not wanted any more, and on their way out.</summary>
    private readonly ConcurrentDictionary<string, Task> _leaving = new(StringComparer.Ordinal);
    private readonly Lock _collecting = new();
    private long _seenIndex;

    private async Task WatchAllocationsAsync(CancellationToken stop)
    {
        // A cluster that does not know the node has nothing to say about its allocations.
        await _registered.Task.WaitAsync(stop);
        while (true)
        {
            try
            {
                var list = await _servers.NodeAllocationsAsync(_state.NodeId, _state.SecretId, _seenIndex, stop);
                if (list.Index < _seenIndex)
                {
                    // A consistent read does not go back. Obeyed, an older list would end what was started since.
                    _log.LogWarning("A server sent a list of allocations at index {Index}, older than {Seen}; the list is ignored", list.Index, _seenIndex);
                }
                else if (await PullAsync(list, stop) is { } pulled)
                {
                    Apply(list, pulled, stop);
                    _seenIndex = list.Index;
                    _contacted.TrySetResult();
                    continue;
                }
            }
            catch (NoServerException e)
            {
                _log.LogWarning("The servers sent no list of allocations; running tasks keep running: {Why}", e.Message);
            }

            await Task.Delay(Retry(), _time, stop);
        }
    }

    /// <summary>Null when the servers do not have all of them yet.</summary>
    private async Task<IReadOnlyList<Allocation>?> PullAsync(NodeAllocations list, CancellationToken stop)
    {
        var wanted = list.ModifyIndexes.Where(i => !_over.ContainsKey(i.Key) && !_leaving.ContainsKey(i.Key) && (Find(i.Key) is not { } runner || i.Value > runner.Allocation.AllocModifyIndex)).ToList();
        if (wanted.Count == 0) return [];
        var (_, found) = await _servers.AllocationsAsync([.. wanted.Select(w => w.Key)], _state.SecretId, wanted.Max(w => w.Value) - 1, stop);
        return wanted.All(w => found.Any(f => f.ID == w.Key)) ? found : null;
    }

    private void Apply(NodeAllocations list, IReadOnlyList<Allocation> pulled, CancellationToken stop)
    {
        // What the servers do not name any more, they have collected.
        foreach (var (id, (runner, running)) in _runners.Where(r => !list.ModifyIndexes.ContainsKey(r.Key) && !_leaving.ContainsKey(r.Key)).ToList())
        {
            _log.LogInformation("The servers no longer list allocation {Allocation}; it is stopped and deleted", id);
            runner.Kill();
            _leaving[id] = DestroyAsync(id, runner, running, stop);
        }

        foreach (var id in _leaving.Where(l => l.Value.IsCompleted).Select(l => l.Key).ToList()) _leaving.TryRemove(id, out _);
        foreach (var id in _over.Keys.Where(id => !list.ModifyIndexes.ContainsKey(id)).ToList()) _over.TryRemove(id, out _);
        foreach (var allocation in pulled)
        {
            if (Find(allocation.ID) is { } known)
            {
                known.Update(allocation);
            }
            else if (allocation.ClientTerminal)
            {
                _over[allocation.ID] = true;
            }
            else
            {
                _log.LogInformation("Allocation {Allocation} ({Name}) was placed on this node", allocation.ID, allocation.Name);
                var runner = new AllocRunner(_site, _state, allocation, null, _updates.Add, _log);
                Run(runner, allocation.Terminal ? Task.CompletedTask : PreviousAsync(allocation, stop), stop);
            }
        }
    }

    /// <summary>Ends when the allocation that this one replaces has: the one stops before the other starts, wherever it runs.</summary>
    private async Task PreviousAsync(Allocation allocation, CancellationToken stop)
    {
        if (allocation.PreviousAllocation is not { Length: > 0 } previous) return;
        if (Find(previous) is { } here)
        {
            await here.Terminal.WaitAsync(stop);
            return;
        }

        for (long index = 0; ;)
        {
            try
            {
                var (answered, found) = await _servers.AllocationsAsync([previous], _state.SecretId, index, stop);
                if (found is not [{ ClientTerminal: false }]) return;
                index = answered;
                continue;
            }
            catch (NoServerException e)
            {
                _log.LogWarning("The state of allocation {Allocation} is unknown, and its replacement waits: {Why}", previous, e.Message);
            }

            await Task.Delay(Retry(), _time, stop);
        }
    }

    private async Task DestroyAsync(string id, AllocRunner runner, Task running, CancellationToken stop)
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Stopped in the middle: the next client is told again.
        if (!runner.Terminal.IsCompleted && stop.IsCancellationRequested) return;
        Destroy(id, runner);
    }

    private void Destroy(string id, AllocRunner runner)
    {
        _runners.TryRemove(id, out _);
        try
        {
            runner.Destroy();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning(e, "Allocation {Allocation} could not be deleted from disk", id);
        }
    }

    /// <summary>Deletes an allocation that has ended. False when there is none or it has not.</summary>
    public bool Collect(string allocation)
    {
        lock (_collecting)
        {
            if (Find(allocation) is not { Terminal.IsCompleted: true } runner) return false;
            _over[allocation] = true;
            Destroy(allocation, runner);
            return true;
        }
    }

    /// <summary>Those that ended first go when there are too many.</summary>
    private void CollectGarbage()
    {
        lock (_collecting)
        {
            var ended = _runners.Where(r => r.Value.Runner.Terminal.IsCompleted).OrderBy(r => r.Value.Runner.EndedAt).Take(Math.Max(0, _runners.Count - _options.GcMaxAllocs)).ToList();
            foreach (var (id, _) in ended) Collect(id);
        }
    }
}
