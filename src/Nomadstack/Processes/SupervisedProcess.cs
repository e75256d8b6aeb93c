// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Processes;

/// <summary>
/// The one process of a name on this node. It is started, watched, restarted, adopted after the agent restarts, and stopped when asked.
/// There is never a second one, wherever the agent is killed, and it does not end with the agent.
/// </summary>
/// <remarks>
/// How this is guaranteed: the intent (<see cref="ProcessRecord.Wanted"/> and the spec) is durable before a spawn, the identity after it. After a kill in
/// between, the next agent finds the orphan by marker and arguments. A restart needs no new intent: the record still names a dead process, which leads
/// to the same search. A stop is durable before its signal. The public methods run one at a time. The state they share with the watching task is under one lock.
/// </remarks>
internal sealed partial class SupervisedProcess(string name, string recordsFolder, ProcessSpawner spawner, ProcessWatcher watcher, TimeProvider time) : IOwnedProcess
{
    /// <summary>A killed process is gone at once, unless the kernel waits for a disk.</summary>
    public static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(30);

    private readonly DurableFile<ProcessRecord> _file = ProcessRecord.At(recordsFolder, name);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _detached = new();
    private readonly Lock _lock = new();

    private bool _opened;
    private ProcessRecord? _record;
    private ProcessStatus _status = ProcessStatus.Never;
    private Task _supervision = Task.CompletedTask;
    private CancellationTokenSource _pause = new();
    private int _starts;
    private long _logStart;

    public string Name { get; } = name;

    /// <summary>The state at one moment. Cheap; never blocks.</summary>
    public ProcessStatus Status => Volatile.Read(ref _status);

    public int? Pid => Status.Pid;

    /// <summary>Gets each event in order. Must be quick and must not call back.</summary>
    public Action<ProcessEvent>? OnEvent { get; init; }

    /// <summary>Awaited before each unrequested restart, such as the gate of a client. A stop cancels its token.</summary>
    public Func<CancellationToken, Task>? BeforeRestart { get; init; }

    /// <summary>Completes when the process was stopped or detached. Fails only because of a bug. The owner awaits it.</summary>
    public Task Supervision
    {
        get
        {
            lock (_lock) return _supervision;
        }
    }

    /// <summary>
    /// Reads the record and adopts what runs. Starts nothing: if the record wants a process and none runs, the caller decides
    /// (<see cref="ProcessStatus.Wanted"/>). May be repeated. The other methods call it themselves.
    /// </summary>
    /// <exception cref="ProblemException">The record is unreadable, or two processes match it.</exception>
    public async Task<ProcessStatus> OpenAsync(CancellationToken cancel)
    {
        using var turn = await TurnAsync(cancel);
        lock (_lock) Open();
        return Status;
    }

    /// <summary>
    /// Makes the process run with this spec. Adopts it if it runs, and otherwise starts it at once, even if a restart was waiting.
    /// </summary>
    /// <exception cref="ProblemException">
    /// <c>process/other-spec</c>: it runs with another spec (see <see cref="Status"/>) and was left alone;
    /// <c>process/not-started</c>, <c>process/no-log</c>, <c>storage/unwritable</c>: nothing was started, and the process is not wanted.
    /// </exception>
    public async Task<ProcessStatus> StartAsync(ProcessSpec spec, CancellationToken cancel)
    {
        if (spec.Name != Name) throw new ArgumentException($"The spec is for {spec.Name}, this is {Name}.", nameof(spec));
        using var turn = await TurnAsync(cancel);
        Task ending;
        lock (_lock)
        {
            Open();
            if (AdoptIfRunning(spec)) return Status;
            // It has just ended or waits for its restart. This start replaces that task.
            _starts++;
            _pause.Cancel();
            ending = _supervision;
        }

        await ending;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_detached.IsCancellationRequested, this);
            if (spawner.FindOrphan(spec) is { } orphan)
            {
                Adopt(orphan, new() { Spec = spec, Wanted = true, BootId = ProcFs.BootId });
                TryWrite(_record!);
                return Status;
            }

            Write(new() { Spec = spec, Wanted = true, BootId = ProcFs.BootId });
            try
            {
                Watch(Spawn(restarts: 0));
            }
            catch (ProblemException)
            {
                // The caller is told that the start failed, so the next agent must not find it recorded as wanted.
                TryWrite(_record! with { Wanted = false });
                throw;
            }

            return Status;
        }
    }

    /// <summary>
    /// Its next start, also one after a crash, is with this spec: its program may have changed since the last. What runs is known by its identity and left alone.
    /// </summary>
    public void Renew(ProcessSpec spec)
    {
        lock (_lock)
        {
            Open();
            if (_record is { } record && !ProcessRecord.Same(record.Spec, spec)) TryWrite(record with { Spec = spec });
        }
    }

    /// <summary>Ends the process for good: records that it is not wanted, sends a signal, and SIGKILL after the deadline. Returns when it is gone or was not running.</summary>
    /// <param name="useless">When this task completes, the process need not end in an orderly way, and SIGKILL is sent at once.</param>
    /// <exception cref="ProblemException"><c>storage/unwritable</c> before anything was sent; <c>process/unkillable</c>.</exception>
    public async Task StopAsync(int signal, TimeSpan deadline, CancellationToken cancel, Task? useless = null)
    {
        using var turn = await TurnAsync(cancel);
        Task ending;
        ProcessIdentity? running;
        lock (_lock)
        {
            Open();
            if (_record is { Wanted: true }) Write(_record with { Wanted = false });
            _pause.Cancel();
            (ending, running) = (_supervision, _status.Running);
            if (running is not null)
            {
                Raise(ProcessEventKind.Stopping, $"{Signals.Name(signal)} to pid {running.Pid}, SIGKILL after {deadline.TotalSeconds:0.#} s.");
                PidFd.Signal(running, signal);
            }
        }

        var ended = await EndsWithinAsync(useless is null ? ending : Task.WhenAny(ending, useless), deadline, cancel) && ending.IsCompleted;
        if (_detached.IsCancellationRequested) throw new OperationCanceledException($"The agent ended while {Name} was being stopped. The stop is recorded.");
        if (ended || running is null) return;
        lock (_lock)
        {
            Raise(ProcessEventKind.Killed, useless is { IsCompleted: true } ? $"Pid {running.Pid} is no longer needed; SIGKILL." : $"Pid {running.Pid} did not end within {deadline.TotalSeconds:0.#} s; SIGKILL.");
            PidFd.Signal(running, Signals.SIGKILL);
        }

        if (!await EndsWithinAsync(ending, KillDeadline, cancel))
            throw new ProblemException(ProcessProblems.Unkillable(Name, running.Pid, KillDeadline));
    }

    /// <summary>Sends a signal. The process stays wanted: if the signal ends it, it is restarted.</summary>
    /// <exception cref="ProblemException"><c>process/not-running</c>.</exception>
    public void Signal(int signal)
    {
        if (Status.Running is { } process && PidFd.Signal(process, signal)) return;
        throw new ProblemException(ProcessProblems.NotRunning(Name, Signals.Name(signal)));
    }

    /// <summary>Deletes the record of a stopped process.</summary>
    /// <exception cref="InvalidOperationException">It runs or should run.</exception>
    public async Task ForgetAsync(CancellationToken cancel)
    {
        using var turn = await TurnAsync(cancel);
        lock (_lock)
        {
            Open();
            if (_record is { Wanted: true } || _status.Running is not null) throw new InvalidOperationException($"{Name} was not stopped.");
            _file.Delete();
            _record = null;
            _status = ProcessStatus.Never;
        }
    }

    /// <summary>Stops watching the process and leaves it running, when the agent ends. No other call may follow.</summary>
    public async Task DetachAsync()
    {
        Task ending;
        lock (_lock)
        {
            if (!_detached.IsCancellationRequested && _status.Running is { } process) Raise(ProcessEventKind.Detached, $"Pid {process.Pid} runs on without the agent.");
            _detached.Cancel();
            _pause.Cancel();
            ending = _supervision;
        }

        await ending;
    }

    public ValueTask DisposeAsync() => new(DetachAsync());

    private void Open()
    {
        if (_opened) return;
        _record = _file.Read();
        if (_record is { } record)
        {
            _status = new(record.Wanted, null, record.Spec, null, record.Restarts, null);
            if (record.Process is { } process && ProcFs.IsAlive(process))
            {
                Adopt(process, record);
            }
            else if (spawner.FindOrphan(record.Spec) is { } orphan)
            {
                Adopt(orphan, record);
                TryWrite(_record);
            }
        }

        _opened = true;
    }

    private bool AdoptIfRunning(ProcessSpec spec)
    {
        if (_status.Running is not { } running || !ProcFs.IsAlive(running)) return false;
        if (!ProcessRecord.Same(_record!.Spec, spec))
            throw new ProblemException(ProcessProblems.OtherSpec(Name, running.Pid));
        if (!_record.Wanted) Write(_record with { Wanted = true });
        return true;
    }

    private void Adopt(ProcessIdentity process, ProcessRecord record)
    {
        _record = record with { Process = process, BootId = process.BootId };
        _logStart = 0;
        _status = new(record.Wanted, process, record.Spec, time.GetUtcNow() - ProcFs.Age(process), record.Restarts, null);
        Raise(ProcessEventKind.Adopted, $"Adopted pid {process.Pid}, running since {_status.StartedAt:u}.");
        Watch(process);
    }

    private void Watch(ProcessIdentity process)
    {
        if (_pause.IsCancellationRequested) _pause = new();
        _supervision = SuperviseAsync(process, ++_starts);
    }

    /// <summary>The record already contains the intent.</summary>
    private ProcessIdentity Spawn(int restarts)
    {
        var spec = _record!.Spec;
        var logStart = new FileInfo(spec.LogFile) is { Exists: true } log ? log.Length : 0;
        var process = spawner.Spawn(spec);
        _logStart = logStart;
        // If this cannot be written, the marker identifies the process.
        TryWrite(_record with { Process = process, BootId = process.BootId, Restarts = restarts });
        _status = new(true, process, spec, time.GetUtcNow(), restarts, _status.LastExit);
        Raise(ProcessEventKind.Started, $"Started as pid {process.Pid}.");
        return process;
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan deadline, CancellationToken cancel)
    {
        try
        {
            await task.WaitAsync(deadline, time, cancel);
            return true;
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            return false;
        }
    }

    private void Write(ProcessRecord record)
    {
        _file.Write(record);
        _record = record;
        _status = _status with { Wanted = record.Wanted, Spec = record.Spec, Restarts = record.Restarts };
    }

    /// <summary>For writes that the next start can do without.</summary>
    private void TryWrite(ProcessRecord record)
    {
        try
        {
            Write(record);
        }
        catch (ProblemException e)
        {
            _record = record;
            _status = _status with { Wanted = record.Wanted };
            Raise(ProcessEventKind.Trouble, e.Problem.ToString());
        }
    }

    private void Raise(ProcessEventKind kind, string message, string lastOutput = "") =>
        OnEvent?.Invoke(new(Name, time.GetUtcNow(), kind, lastOutput.Length > 0 ? $"{message} Last output: {lastOutput}" : message) { Brief = message });

    private async Task<Turn> TurnAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        var turn = new Turn(_turn);
        if (!_detached.IsCancellationRequested) return turn;
        turn.Dispose();
        throw new ObjectDisposedException(nameof(SupervisedProcess), $"{Name} was detached.");
    }

    private readonly struct Turn(SemaphoreSlim turn) : IDisposable
    {
        public void Dispose() => turn.Release();
    }
}
