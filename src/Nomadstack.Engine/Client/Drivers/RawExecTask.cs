// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>One raw_exec task under watch. Disposing ends the watch, not the task.</summary>
internal sealed class RawExecTask : IAsyncDisposable
{
    private readonly RawExecState _state;
    private readonly SafeFileHandle? _executor;
    private readonly bool _child;
    private readonly string _run, _marker;
    private readonly IReadOnlyList<IAsyncDisposable> _logs;
    private readonly Poller _poller;
    private readonly TimeProvider _time;
    private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private (double Ticks, DateTimeOffset At)? _lastUsage;

    /// <param name="executor">The shell above the task, held; null when it has ended before.</param>
    /// <param name="child">Whether it is ours to reap.</param>
    /// <param name="run">The folder of the executor's files.</param>
    /// <param name="marker">In the environment of all that the task started.</param>
    public RawExecTask(RawExecState state, SafeFileHandle? executor, bool child, string run, string marker, IReadOnlyList<IAsyncDisposable> logs, Poller poller, TimeProvider time)
    {
        (_state, _executor, _child, _run, _marker, _logs, _poller, _time) = (state, executor, child, run, marker, logs, poller, time);
        Ended = WatchAsync();
    }

    /// <summary>Completes when the task and what it left behind have ended and its last output is in its log.</summary>
    public Task<ExitResult> Ended { get; }

    /// <summary>To the task's first process alone, as HashiCorp's does.</summary>
    public async Task SignalAsync(int signal, CancellationToken cancel)
    {
        while (!Ended.IsCompleted)
        {
            if (TaskProcess() is { } process)
            {
                Proc.Signal(process, signal);
                return;
            }

            // The shell starts its command within moments of its own start, and ends moments after it: no event tells either.
            await Task.Delay(s_moment, _time, cancel);
        }
    }

    public TaskUsage? Usage(DateTimeOffset now)
    {
        if (Ended.IsCompleted || TaskProcess() is not { } process || Proc.StatOf(process.Pid) is not { } stat) return null;
        var seconds = (stat.UserTicks + stat.SystemTicks) / (double)Libc.SysConf(Libc.SC_CLK_TCK);
        lock (_gate)
        {
            var percent = _lastUsage is var (ticks, at) && now > at ? (seconds - ticks) / (now - at).TotalSeconds * 100 : 0;
            _lastUsage = (seconds, now);
            return new(seconds, percent, stat.ResidentBytes, now);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        // Either its result was taken already or nobody wants it any more.
        await ((Task)Ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var log in _logs) await log.DisposeAsync();
        _executor?.Dispose();
        _stop.Dispose();
    }

    private async Task<ExitResult> WatchAsync()
    {
        // Off the caller's stack: a task that ended long ago is completed here as well.
        await Task.Yield();
        var ended = ExitResultOfExecutor.Unknown;
        if (_executor is not null)
        {
            await _poller.WhenReadableAsync(_executor, _stop.Token);
            KillLeftovers();
            if (_child) ended = Reap();
        }

        // Closed only after the last write.
        foreach (var log in _logs) await log.DisposeAsync();
        return ExecutorScript.Read(Path.Combine(_run, ExecutorScript.ExitFile)) ?? (ended.Signal is { } signal
            ? new ExitResult(128 + signal, signal)
            : new ExitResult(1, Error: "executor: error waiting on process: the executor ended without a word"));
    }

    /// <summary>What the task started and left behind, in its session. While the executor is our zombie, nobody else can have its group.</summary>
    private void KillLeftovers()
    {
        var executor = _state.Executor.Pid;
        if (_child)
        {
            _ = Libc.Kill(-executor, SignalNames.SIGKILL);
            return;
        }

        foreach (var pid in Proc.Pids())
            if (Proc.StatOf(pid) is { } stat && stat.Session == executor && Proc.HasEnvironment(pid, _marker)) Proc.Signal(new(pid, stat.StartTicks, Proc.BootId), SignalNames.SIGKILL);
    }

    /// <summary>The child of the shell, once it has become the command: before, it is the shell's twin, which would swallow the signal.</summary>
    private ProcessIdentity? TaskProcess()
    {
        if (Proc.StatOf(_state.Executor.Pid)?.StartTicks != _state.Executor.StartTicks) return null;
        foreach (var child in Proc.Children(_state.Executor.Pid))
        {
            if (Proc.StatOf(child) is { } stat && stat.Parent == _state.Executor.Pid && Proc.CommandLine(child) is { Count: > 0 } command && !ExecutorScript.Runs(command, _run))
                return new(child, stat.StartTicks, Proc.BootId);
        }

        return null;
    }

    private unsafe ExitResultOfExecutor Reap()
    {
        // siginfo_t on 64 bit: si_code at 8, si_status at 24.
        var info = stackalloc byte[128];
        while (Libc.WaitId(Libc.P_PIDFD, (int)_executor!.DangerousGetHandle(), info, Libc.WEXITED) != 0)
            if (Libc.LastErrno != Libc.EINTR) throw new IOException($"waitid: {Libc.LastError}");
        var span = new ReadOnlySpan<byte>(info, 128);
        return BinaryPrimitives.ReadInt32LittleEndian(span[8..]) == Libc.CLD_EXITED ? ExitResultOfExecutor.Unknown : new(BinaryPrimitives.ReadInt32LittleEndian(span[24..]));
    }

    /// <param name="Signal">What killed it; null when it went its way.</param>
    private sealed record ExitResultOfExecutor(int? Signal)
    {
        public static readonly ExitResultOfExecutor Unknown = new((int?)null);
    }
}
