// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>
/// Runs one task of an allocation through all its starts. Every step is on disk before the next: a client that dies anywhere finds the task again and
/// starts none twice.
/// </summary>
internal sealed partial class TaskRunner
{
    private const int KeptEvents = 10;

    private readonly Lock _gate = new();
    private readonly TaskSite _site;
    private readonly AllocDir _folders;
    private readonly Action _changed;
    private readonly ILogger _log;
    private readonly TaskEvents _events;
    private readonly RestartTracker _restarts;
    private readonly TaskCompletionSource _kill = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Allocation _allocation;
    private JobTask _task;
    private TaskState _state = new() { State = TaskState.Pending };
    private string? _taskId;
    private TaskHandle? _handle;
    private bool _recovered, _waitForServers, _restartAsked;

    /// <param name="changed">Called after each change, before the next step: what is to be kept must be on disk when it returns.</param>
    public TaskRunner(TaskSite site, Allocation allocation, JobTask task, AllocDir folders, TaskRecord? restored, Action changed, ILogger log)
    {
        (_site, _allocation, _task, _folders, _changed, _log) = (site, allocation, task, folders, changed, log);
        _events = new(site.Time);
        _restarts = new(task.RestartPolicy, allocation.Job.Type, site.Time, site.Random);
        if (restored is null) _state = With(_events.Received());
        else (_state, _taskId, _handle) = (restored.State, restored.TaskId, restored is { Handle: { } handle, TaskId: { } id } ? new(id, Convert.FromBase64String(handle)) : null);
    }

    public string Name => _task.Name;

    public TaskState State
    {
        get
        {
            lock (_gate) return _state;
        }
    }

    public bool Dead => State.State == TaskState.Dead;

    public TaskRecord Record
    {
        get
        {
            lock (_gate) return new(_state, _taskId, _handle is null ? null : Convert.ToBase64String(_handle.State));
        }
    }

    private ITaskDriver Driver => _site.Drivers.Find(_task.Driver) ?? throw new DriverException($"failed to initialize driver: unknown driver plugin \"{_task.Driver}\"");

    /// <summary>
    /// Finds the task of the client before. What cannot be found is started again only after a server has said that it shall run, unless it is of a
    /// system job: it may have been moved meanwhile (hashicorp/nomad issue 1795).
    /// </summary>
    public async Task RestoreAsync(CancellationToken cancel)
    {
        if (_taskId is null || Dead) return;
        try
        {
            var config = Config(_taskId, null, null);
            _handle ??= await Driver.FindTaskAsync(config, cancel);
            if (_handle is null)
            {
                // It was never started.
                Change(() => _taskId = null);
                return;
            }

            await Driver.RecoverTaskAsync(_handle, config, cancel);
            _recovered = true;
        }
        catch (Exception e) when (e is DriverException or IOException or UnauthorizedAccessException)
        {
            // One task that cannot be looked after must not keep the client from all the others.
            _log.LogWarning("Task {Task} of allocation {Allocation} could not be recovered: {Why}", _task.Name, _allocation.ID, e.Message);
            await ForgetAsync(cancel);
            if (_allocation.Terminal || _allocation.Job.Type == JobType.System) return;
            _waitForServers = true;
            Change(() => _state = With(_events.FailedRestoring()) with { State = TaskState.Pending });
        }
    }

    /// <summary>Until the task is dead. Cancelling ends the watch and leaves the process alone.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        if (Dead)
        {
            await ForgetAsync(stop);
            return;
        }

        if (_waitForServers) await Task.WhenAny(_site.ServersContacted, _kill.Task).WaitAsync(stop);
        while (!_kill.Task.IsCompleted && !_allocation.Terminal)
        {
            stop.ThrowIfCancellationRequested();
            if (await RunOnceAsync(stop) is not { } delay) break;
            // Killed between two starts; the loop sees it.
            if (delay > TimeSpan.Zero) await Signal.WithinAsync(_kill.Task, delay, _site.Time, stop);
        }

        stop.ThrowIfCancellationRequested();
        // Recovered, but no more wanted.
        if (_handle is { } left && _recovered) Terminated(await KillAsync(left, Driver.WaitTaskAsync(left.TaskId, stop), stop));
        await ForgetAsync(stop);
        Change(() => _state = _state with { State = TaskState.Dead, FinishedAt = _state.FinishedAt ?? _site.Time.GetUtcNow() });
    }

    /// <summary>The next version of the allocation, whose task can be kept running.</summary>
    public void Update(Allocation allocation)
    {
        _allocation = allocation;
        if (allocation.Group?.Task(_task.Name) is not { } task) return;
        _task = task;
        _restarts.Policy = task.RestartPolicy;
    }

    /// <summary>Ends the task for good; <see cref="RunAsync"/> ends with it.</summary>
    public void Kill()
    {
        Emit(_events.Killing(KillTimeout));
        _kill.TrySetResult();
    }

    /// <summary>An operator's restart, which the restart policy does not count. False when the task does not run.</summary>
    public async Task<bool> RestartAsync(CancellationToken cancel)
    {
        if (_handle is not { } handle || State.State != TaskState.Running) return false;
        Emit(_events.RestartSignaled());
        _restartAsked = true;
        await Driver.StopTaskAsync(handle.TaskId, KillTimeout, _task.KillSignal, cancel);
        return true;
    }

    /// <summary>False when the task does not run.</summary>
    public async Task<bool> SignalAsync(string signal, CancellationToken cancel)
    {
        if (_handle is not { } handle || State.State != TaskState.Running) return false;
        Emit(_events.Signaling(signal));
        await Driver.SignalTaskAsync(handle.TaskId, signal, cancel);
        return true;
    }

    public Task<TaskUsage?> UsageAsync(CancellationToken cancel) => _handle is { } handle ? Driver.TaskUsageAsync(handle.TaskId, cancel) : Task.FromResult<TaskUsage?>(null);

    public void Emit(TaskEvent e) => Change(() => _state = With(e));

    /// <summary>Before anything was tried: the allocation's folders could not be made.</summary>
    public void FailSetup(string why) => Change(() => _state = With(_events.SetupFailure($"failed to setup alloc: {why}")) with { State = TaskState.Dead, FinishedAt = _site.Time.GetUtcNow() });

    private TimeSpan KillTimeout => _task.KillTimeout < _site.Options.MaxKillTimeout ? _task.KillTimeout : _site.Options.MaxKillTimeout;

    private void Change(Action change)
    {
        lock (_gate) change();
        _changed();
    }

    private TaskState With(TaskEvent e)
    {
        var state = _state with { Events = [.. (_state.Events ?? []).Append(e).TakeLast(KeptEvents)], Failed = _state.Failed || e.FailsTask };
        return e.Type == "Restarting" ? state with { Restarts = state.Restarts + 1, LastRestart = UnixNanoseconds.ToTime(e.Time) } : state;
    }
}
