// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>
/// What only the leader does, from its election to its loss: the queues and the workers that process evaluations, heartbeats, drains, deployments and
/// garbage. Entering fills everything from the state; leaving throws it away.
/// </summary>
internal sealed partial class LeaderSession : IDisposable
{
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    private readonly ServerState _state;
    private readonly LogWriter _writer;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly EvaluationQueues _queues = new(NewId);
    private readonly Heartbeats _heartbeats;
    private readonly SemaphoreSlim _plans = new(1);

    /// <summary>An evaluation may be ready for a worker.</summary>
    private readonly Signal _work = new();

    /// <summary>A time to wait for may have become another.</summary>
    private readonly Signal _times = new();

    private readonly Signal _drains = new();
    private readonly Signal _deployments = new();

    /// <summary>When the keeper of times looks again by itself; null while nothing is due. Guarded by the gate.</summary>
    private DateTimeOffset? _looksAt;

    /// <summary>Takes up what is open in the state. The caller has made sure that all of the log is applied.</summary>
    public LeaderSession(ServerState state, LogWriter writer, TimeSpan? failoverHeartbeatTtl, TimeProvider time, ILogger log)
    {
        (_state, _writer, _time, _log) = (state, writer, time, log);
        _heartbeats = new Heartbeats(Random.Shared, failoverHeartbeatTtl);
        // Listening comes first; a command that is told twice is queued once.
        _state.Applied += Follow;
        lock (_gate)
        {
            _queues.Fill(_state.Current, Now);
            _heartbeats.Start(_state.Current.Nodes.All, Now);
        }
    }

    private DateTimeOffset Now => _time.GetUtcNow();

    public static string NewId() => Guid.NewGuid().ToString();

    /// <summary>Until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        List<Task> loops = [KeepTimeAsync(ending.Token), CollectGarbageAsync(ending.Token), DrainAsync(ending.Token), WatchDeploymentsAsync(ending.Token)];
        for (var i = 0; i < Workers; i++) loops.Add(WorkAsync(ending.Token));
        try
        {
            await await Task.WhenAny(loops);
        }
        finally
        {
            await ending.CancelAsync();
            foreach (var loop in loops) await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose()
    {
        _state.Applied -= Follow;
        _plans.Dispose();
    }

    /// <summary>A node has reported.</summary>
    /// <returns>In how long it should again.</returns>
    public TimeSpan Beat(string nodeId)
    {
        TimeSpan ttl;
        bool sooner;
        lock (_gate)
        {
            ttl = _heartbeats.Beat(nodeId, Now);
            sooner = IsDueSooner();
        }

        if (sooner) _times.Raise();
        return ttl;
    }

    /// <summary>Wakes only whom the command concerns: hundreds come in a second, and each wake costs a turn of the processor.</summary>
    private void Follow(Command command, StateSnapshot after)
    {
        bool ready, sooner;
        lock (_gate)
        {
            _queues.Follow(command, after, Now);
            if (command is DeregisterNodes gone)
                foreach (var id in gone.NodeIDs) _heartbeats.Forget(id);
            (ready, sooner) = (_queues.Broker.ReadyCount > 0, IsDueSooner() || _queues.Blocked.HasDuplicates);
        }

        if (ready) _work.Raise();
        if (sooner) _times.Raise();
        var allocations = after.Allocations.Index == after.Index;
        if (allocations || after.Deployments.Index == after.Index) _deployments.Raise();
        if (after.Nodes.Index == after.Index || ((allocations || after.Jobs.Index == after.Index) && after.Nodes.All.Any(n => n.DrainStrategy is not null))) _drains.Raise();
    }

    private DateTimeOffset? NextDue() => _queues.Broker.NextDue is { } evaluation && !(_heartbeats.NextDue < evaluation) ? evaluation : _heartbeats.NextDue;

    private bool IsDueSooner() => NextDue() is { } due && !(due >= _looksAt);

    /// <summary>Writes what a look at the state has called for. False when the state has moved on, or this server may not lead any more: look again.</summary>
    private async Task<bool> TryApplyAsync(Command command, CancellationToken stop)
    {
        try
        {
            await _writer.ApplyAsync(command, stop);
            return true;
        }
        catch (ServerException e)
        {
            _log.LogInformation("The leader's command {Command} was not applied: {Reason}", command.GetType().Name, e.Message);
            return false;
        }
    }
}
