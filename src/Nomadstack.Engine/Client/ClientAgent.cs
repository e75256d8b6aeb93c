// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>
/// A node's client. At start it takes its tasks over from the client before, without asking anybody; then it registers, gives signs of life, and runs
/// what the servers want here. Whether a server answers has no effect on what runs already, and neither has the end of this client.
/// </summary>
internal sealed partial class ClientAgent
{
    private readonly ClientOptions _options;
    private readonly IServers _servers;
    private readonly ClientState _state;
    private readonly TimeProvider _time;
    private readonly ILogger<ClientAgent> _log;
    private readonly Random _random = new();
    private readonly TaskDrivers _drivers;
    private readonly TaskSite _site;
    private readonly AllocUpdates _updates;
    private readonly ConcurrentDictionary<string, (AllocRunner Runner, Task Running)> _runners = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _contacted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Signal _again = new();
    private Node _node;
    private volatile bool _httpSpeaksTls;

    /// <exception cref="ClientStateException">The state on disk is damaged.</exception>
    public ClientAgent(ClientOptions options, IServers servers, IReadOnlyList<ITaskDriver> drivers, TimeProvider time, ILogger<ClientAgent> log)
    {
        (_options, _servers, _time, _log, _httpSpeaksTls) = (options, servers, time, log, options.HttpSpeaksTls);
        _state = ClientState.Open(options.StateDir);
        _drivers = new(drivers, time);
        Directory.CreateDirectory(options.AllocDir);
        _node = new Fingerprint(options).Node(_state.NodeId, _state.SecretId);
        _node = WithDrivers(_node);
        _site = new(options, _drivers, () => _node, _contacted.Task, time, _random);
        _updates = new(servers, _state, time, _random, log);
        foreach (var driver in drivers) driver.Said = Say;
    }

    /// <summary>As it is registered.</summary>
    public Node Node => _node;

    /// <summary>Completes with the first list of allocations from the servers.</summary>
    public Task ServersContacted => _contacted.Task;

    public IReadOnlyList<AllocRunner> Allocations => [.. _runners.Values.Select(r => r.Runner)];

    public AllocRunner? Find(string allocation) => _runners.TryGetValue(allocation, out var found) ? found.Runner : null;

    /// <summary>Until it is cancelled; all tasks run on then.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await RestoreAsync(ending.Token);
        Task[] loops = [RegisterAndBeatAsync(ending.Token), WatchAllocationsAsync(ending.Token), _updates.RunAsync(ending.Token)];
        try
        {
            // They end when they are told to, or by a bug, which ends the client.
            await await Task.WhenAny(loops);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to.
        }
        finally
        {
            await ending.CancelAsync();
            foreach (var loop in loops.Concat(_runners.Values.Select(r => r.Running)).Concat(_leaving.Values)) await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Registers once more, as a reload does.</summary>
    public void RegisterAgain(bool httpSpeaksTls)
    {
        _httpSpeaksTls = httpSpeaksTls;
        _again.Raise();
    }

    private async Task RestoreAsync(CancellationToken stop)
    {
        var records = _state.Allocations();
        foreach (var record in records)
        {
            var runner = new AllocRunner(_site, _state, record.Allocation, record, _updates.Add, _log);
            await runner.RestoreAsync(stop);
            // Its predecessor is not waited for again: it was over when this one started, or this one never did and the servers know.
            Run(runner, Task.CompletedTask, stop);
        }

        if (records.Count > 0) _log.LogInformation("{Count} allocations restored from disk", records.Count);
    }

    private void Run(AllocRunner runner, Task previous, CancellationToken stop) => _runners[runner.Allocation.ID] = (runner, RunToEndAsync(runner, previous, stop));

    private async Task RunToEndAsync(AllocRunner runner, Task previous, CancellationToken stop)
    {
        // Off the caller's stack, which has others to start.
        await Task.Yield();
        try
        {
            await runner.RunAsync(previous, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            // A bug in one allocation must not end the others, but it must be seen.
            _log.LogError(e, "The client no longer manages allocation {Allocation}, because of an error in the client", runner.Allocation.ID);
            throw;
        }

        CollectGarbage();
    }

    /// <summary>What a driver has to say about a task, such as that it fetches an image.</summary>
    private void Say(string allocation, string task, string message)
    {
        if (Find(allocation)?.Tasks.GetValueOrDefault(task) is { } runner) runner.Emit(new TaskEvents(_time).Driver(message));
    }

    private Node WithDrivers(Node node)
    {
        var attributes = new Dictionary<string, string>(node.Attributes.Where(a => !a.Key.StartsWith("driver.", StringComparison.Ordinal)));
        foreach (var (key, value) in _drivers.Attributes()) attributes[key] = value;
        return node with { Attributes = attributes, Drivers = _drivers.Statuses() };
    }
}
