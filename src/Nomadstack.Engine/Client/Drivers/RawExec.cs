// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.State;
using Nomadstack.Ground.Kernel;
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// Runs a task as a plain process in a session of its own. It survives the client; the next one finds it by pid, start time and boot, and learns how it
/// ended even when it ended meanwhile.
/// </summary>
internal sealed class RawExec(string folder, Poller poller, FileWatch files, TimeProvider time, ILogger<RawExec> log) : ITaskDriver, IAsyncDisposable
{
    /// <summary>SIGKILL takes effect at once, unless the disk does not answer.</summary>
    private static readonly TimeSpan s_afterKill = TimeSpan.FromSeconds(15);

    private static readonly Spec s_schema = new()
    {
        Object = new()
        {
            Attributes =
            {
                ["command"] = new() { Attr = new() { Name = "command", Type = "string", Required = true } },
                ["args"] = new() { Attr = new() { Name = "args", Type = "list(string)" } },
            },
        },
    };

    private readonly ConcurrentDictionary<string, RawExecTask> _tasks = new(StringComparer.Ordinal);

    public string Name => "raw_exec";

    public DriverFingerprint Fingerprint { get; } =
        new(true, true, "Healthy", new Dictionary<string, string> { ["driver.raw_exec"] = "true" }, new TaskCompletionSource().Task);

    /// <summary>It has nothing to say.</summary>
    public Action<string, string, string>? Said { get; set; }

    public Task<DriverTerms> TermsAsync(CancellationToken cancel) => Task.FromResult(new DriverTerms(s_schema, Isolated: false, HostEnvironment: true));

    public Task<TaskHandle> StartTaskAsync(TaskConfig config, CancellationToken cancel)
    {
        var command = (string)config.Config!["command"]!;
        var arguments = (config.Config["args"] as IReadOnlyList<object?> ?? []).Select(a => (string?)a ?? "").ToList();
        var program = ProgramLookup.Find(config.Folders.Task(config.Task.Name), command, config.Environment.GetValueOrDefault("PATH"));
        var run = RunFolder(config.Id);
        try
        {
            Directory.CreateDirectory(run, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var script = ExecutorScript.PathIn(run);
            File.WriteAllText(script, ExecutorScript.Text(Path.Combine(run, ExecutorScript.ExitFile), program, arguments, config.Environment.Where(e => !ExecutorScript.ShellKeeps(e.Key))));
            var executor = Spawner.Spawn([ExecutorScript.Shell, script], config.Environment, config.Folders.Task(config.Task.Name), Spool(run, "stdout"), Spool(run, "stderr"));
            var state = new RawExecState(executor, time.GetUtcNow());
            _tasks[config.Id] = Hold(config, state, run, child: true) ?? throw new IOException("it is gone without a trace");
            return Task.FromResult(HandleOf(config.Id, state));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DriverException($"failed to launch command with executor: {e.Message}", recoverable: false, e);
        }
    }

    public Task<TaskHandle?> FindTaskAsync(TaskConfig config, CancellationToken cancel)
    {
        var run = RunFolder(config.Id);
        if (!Directory.Exists(run)) return Task.FromResult<TaskHandle?>(null);
        foreach (var pid in Proc.Pids())
        {
            if (ExecutorScript.Runs(Proc.CommandLine(pid), run) && Proc.Identify(pid) is { } found)
                return Task.FromResult<TaskHandle?>(HandleOf(config.Id, new(found, time.GetUtcNow())));
        }

        return Task.FromResult(ExecutorScript.Read(Path.Combine(run, ExecutorScript.ExitFile)) is null ? null : HandleOf(config.Id, new(new(0, 0, Proc.BootId), time.GetUtcNow())));
    }

    public Task RecoverTaskAsync(TaskHandle handle, TaskConfig config, CancellationToken cancel)
    {
        if (_tasks.ContainsKey(handle.TaskId)) return Task.CompletedTask;
        var state = JsonSerializer.Deserialize(handle.State, RawExecJson.Default.RawExecState) ?? throw new DriverException("the task's handle is empty");
        var task = Hold(config, state, RunFolder(handle.TaskId), child: false) ?? throw new DriverException($"the process {state.Executor.Pid} of task {handle.TaskId} is gone");
        _tasks[handle.TaskId] = task;
        return Task.CompletedTask;
    }

    public Task<ExitResult> WaitTaskAsync(string taskId, CancellationToken cancel) => Get(taskId).Ended.WaitAsync(cancel);

    public async Task StopTaskAsync(string taskId, TimeSpan timeout, string signal, CancellationToken cancel)
    {
        if (!_tasks.TryGetValue(taskId, out var task)) return;
        if (timeout > TimeSpan.Zero)
        {
            await task.SignalAsync(SignalNames.Number(signal.Length > 0 ? signal : "SIGINT") ?? throw new DriverException($"error unknown signal given for shutdown: {signal}"), cancel);
            if (await EndsWithinAsync(task, timeout, cancel)) return;
        }

        await task.SignalAsync(SignalNames.SIGKILL, cancel);
        if (!await EndsWithinAsync(task, s_afterKill, cancel)) throw new DriverException("process did not exit after 15 seconds");
    }

    public async Task DestroyTaskAsync(string taskId, bool force, CancellationToken cancel)
    {
        if (_tasks.TryGetValue(taskId, out var task))
        {
            if (!task.Ended.IsCompleted)
            {
                if (!force) throw new DriverException("cannot destroy running task");
                await StopTaskAsync(taskId, TimeSpan.Zero, "", cancel);
            }

            _tasks.TryRemove(taskId, out _);
            await task.DisposeAsync();
        }

        if (Directory.Exists(RunFolder(taskId))) Directory.Delete(RunFolder(taskId), recursive: true);
    }

    public async Task SignalTaskAsync(string taskId, string signal, CancellationToken cancel)
    {
        if (SignalNames.Number(signal) is null) log.LogWarning("{Signal} is not a known signal; task {TaskId} gets SIGINT instead", signal, taskId);
        await Get(taskId).SignalAsync(SignalNames.Number(signal) ?? SignalNames.SIGINT, cancel);
    }

    public Task<TaskUsage?> TaskUsageAsync(string taskId, CancellationToken cancel) => Task.FromResult(_tasks.TryGetValue(taskId, out var task) ? task.Usage(time.GetUtcNow()) : null);

    /// <summary>Lets go of all tasks, which run on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var task in _tasks.Values) await task.DisposeAsync();
        _tasks.Clear();
    }

    private RawExecTask? Hold(TaskConfig config, RawExecState state, string run, bool child)
    {
        var executor = Proc.Hold(state.Executor);
        // Where nobody reaps orphans, the dead stay.
        if (!child && Proc.StatOf(state.Executor.Pid) is { State: 'Z' }) executor = null;
        if (executor is null && ExecutorScript.Read(Path.Combine(run, ExecutorScript.ExitFile)) is null) return null;
        return new RawExecTask(state, executor, child, run, $"NOMAD_ALLOC_ID={config.Allocation.ID}", Logs(config, run), poller, time);
    }

    private List<IAsyncDisposable> Logs(TaskConfig config, string run)
    {
        var limits = config.Task.LogConfig;
        return [Log("stdout"), Log("stderr")];

        IAsyncDisposable Log(string stream) =>
            new LogSpool(Spool(run, stream), new LogRotator(config.Folders.Logs, $"{config.Task.Name}.{stream}", limits.MaxFiles, limits.MaxFileSizeMB * 1024L * 1024), files, time, log);
    }

    private async Task<bool> EndsWithinAsync(RawExecTask task, TimeSpan span, CancellationToken cancel)
    {
        await Signal.WithinAsync(task.Ended, span, time, cancel);
        return task.Ended.IsCompleted;
    }

    private RawExecTask Get(string taskId) => _tasks.TryGetValue(taskId, out var task) ? task : throw new DriverException("task not found for given id");

    /// <summary>Short and without the task's name, which may hold anything but a slash.</summary>
    private string RunFolder(string taskId) => Path.Combine(folder, $"{taskId[..taskId.IndexOf('/')]}.{taskId[(taskId.LastIndexOf('/') + 1)..]}");

    private static string Spool(string run, string stream) => Path.Combine(run, stream);

    private static TaskHandle HandleOf(string taskId, RawExecState state) => new(taskId, JsonSerializer.SerializeToUtf8Bytes(state, RawExecJson.Default.RawExecState));
}

/// <summary>What a raw_exec handle holds.</summary>
internal sealed record RawExecState(ProcessIdentity Executor, DateTimeOffset StartedAt);

[JsonSerializable(typeof(RawExecState))]
internal sealed partial class RawExecJson : JsonSerializerContext;
