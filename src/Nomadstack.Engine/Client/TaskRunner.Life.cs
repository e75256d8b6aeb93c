// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>One start of a task and its end.</summary>
internal sealed partial class TaskRunner
{
    private const int KillAttempts = 5;

    private static readonly TimeSpan s_killPause = TimeSpan.FromSeconds(5), s_longestKillPause = TimeSpan.FromMinutes(2);

    /// <summary>How long to wait before the next start; null when there is none.</summary>
    private async Task<TimeSpan?> RunOnceAsync(CancellationToken stop)
    {
        if (!_recovered && await StartAsync(stop) is { } failed) return Next(failed);
        var handle = _handle!;
        _recovered = false;
        if (State.State != TaskState.Running) BeginRunning();

        var exit = Driver.WaitTaskAsync(handle.TaskId, stop);
        await Task.WhenAny(exit, _kill.Task).WaitAsync(stop);
        stop.ThrowIfCancellationRequested();
        var wasKilled = _kill.Task.IsCompleted && !exit.IsCompleted;
        var result = wasKilled ? await KillAsync(handle, exit, stop) : await ResultAsync(exit);
        Terminated(result);
        await ForgetAsync(stop);
        if (wasKilled || _kill.Task.IsCompleted)
        {
            Emit(_events.Killed());
            return null;
        }

        if (!_restartAsked) return Next(_restarts.AfterExit(result ?? new ExitResult(1)));
        _restartAsked = false;
        return Next(new RestartTracker.Verdict.Restart("", TimeSpan.Zero));
    }

    /// <summary>Null when the task runs.</summary>
    private async Task<RestartTracker.Verdict?> StartAsync(CancellationToken stop)
    {
        try
        {
            var terms = await Driver.TermsAsync(stop);
            BuildFolder();
            var environment = TaskEnvironment.For(_site.Node(), _site.Options.Region, _allocation, _task, _folders, terms.Isolated, terms.HostEnvironment ? _site.HostEnvironment() : null);
            var config = ConfigDecoder.Decode(_task.Config, terms.Schema, text => ConfigTemplate.Evaluate(text, environment));
            var id = $"{_allocation.ID}/{_task.Name}/{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
            // The intent first: whoever finds it looks for the task before another is started.
            Change(() => _taskId = id);
            var handle = await Driver.StartTaskAsync(Config(id, config, environment), stop);
            Change(() =>
            {
                _handle = handle;
                _state = With(_events.Started()) with { State = TaskState.Running, StartedAt = _site.Time.GetUtcNow() };
            });
            return null;
        }
        catch (TaskConfigException e)
        {
            Emit(_events.FailedValidation(e.Message));
            return _restarts.AfterFailedStart(recoverable: false);
        }
        catch (DriverException e)
        {
            Emit(_events.DriverFailure(e.Message));
            return _restarts.AfterFailedStart(e.Recoverable);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Emit(_events.HookFailed("task_dir", e.Message));
            return _restarts.AfterFailedStart(recoverable: false);
        }
    }

    private void BuildFolder()
    {
        if (Directory.Exists(_folders.Local(_task.Name))) return;
        Emit(_events.BuildingFolder());
        _folders.BuildTask(_task.Name);
    }

    private void BeginRunning() => Change(() => _state = _state with { State = TaskState.Running, StartedAt = _state.StartedAt ?? _site.Time.GetUtcNow() });

    private TimeSpan? Next(RestartTracker.Verdict verdict)
    {
        switch (verdict)
        {
            case RestartTracker.Verdict.GiveUp stop:
                Change(() => _state = With(_events.NotRestarting(stop.Reason)) with { State = TaskState.Dead, FinishedAt = _site.Time.GetUtcNow() });
                return null;
            case RestartTracker.Verdict.Restart again:
                Change(() => _state = With(_events.Restarting(again)) with { State = TaskState.Pending });
                return again.Delay;
            default:
                return null;
        }
    }

    /// <summary>Stops the task and waits for its end however long that takes; null when its driver lost it.</summary>
    private async Task<ExitResult?> KillAsync(TaskHandle handle, Task<ExitResult> exit, CancellationToken stop)
    {
        var pause = s_killPause;
        for (var attempt = 1; !exit.IsCompleted; attempt++)
        {
            try
            {
                await Driver.StopTaskAsync(handle.TaskId, KillTimeout, _task.KillSignal, stop);
                break;
            }
            catch (DriverException e) when (attempt < KillAttempts)
            {
                _log.LogWarning("Task {Task} of allocation {Allocation} could not be stopped, and is stopped again in {Pause}: {Why}", _task.Name, _allocation.ID, pause, e.Message);
                await Task.WhenAny(exit, Task.Delay(pause, _site.Time, stop));
                pause = pause * 4 < s_longestKillPause ? pause * 4 : s_longestKillPause;
            }
            catch (DriverException)
            {
                _log.LogError("Task {Task} of allocation {Allocation} could not be stopped and may still run", _task.Name, _allocation.ID);
                break;
            }
        }

        return await ResultAsync(exit);
    }

    private static async Task<ExitResult?> ResultAsync(Task<ExitResult> exit)
    {
        try
        {
            return await exit;
        }
        catch (DriverException e)
        {
            return new ExitResult(1, Error: e.Message);
        }
    }

    private void Terminated(ExitResult? result)
    {
        if (result is not null) Emit(_events.Terminated(result));
    }

    /// <summary>Whatever the driver still keeps of the task goes.</summary>
    private async Task ForgetAsync(CancellationToken stop)
    {
        if (_taskId is not { } id) return;
        try
        {
            await Driver.DestroyTaskAsync(id, force: true, stop);
        }
        catch (Exception e) when (e is DriverException or IOException)
        {
            _log.LogWarning("The files of task {TaskId} could not be deleted: {Why}", id, e.Message);
        }

        _recovered = false;
        Change(() => (_taskId, _handle) = (null, null));
    }

    private TaskConfig Config(string id, IReadOnlyDictionary<string, object?>? config, TaskEnvironment? environment) => new()
    {
        Id = id,
        Allocation = _allocation,
        Task = _task,
        Config = config,
        Environment = environment?.Variables ?? new Dictionary<string, string>(),
        Folders = _folders,
        NodeCpu = _site.Node().NodeResources.Cpu.CpuShares,
    };
}
