// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Processes;

/// <content>The task that watches the process from its start or adoption, and starts it again.</content>
internal sealed partial class SupervisedProcess
{
    private const int LinesOfAnEnd = 5;
    private static readonly TimeSpan WatchAgain = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(30);

    /// <param name="start">The start that this task belongs to. After a later start another task has taken over.</param>
    private async Task SuperviseAsync(ProcessIdentity process, int start)
    {
        var quickEnds = 0;
        try
        {
            while (true)
            {
                var since = time.GetTimestamp();
                var exit = await ExitAsync(process);
                lock (_lock) NoteExit(process, exit);

                var decision = Decide(start, time.GetElapsedTime(since), quickEnds);
                ProcessIdentity? next = null;
                while (next is null)
                {
                    if (decision is not RestartDecision.Restart restart || !await PauseAsync(restart.Delay)) break;
                    quickEnds = restart.QuickEnds;
                    next = TryRestart(start);
                    if (next is null) decision = Decide(start, TimeSpan.Zero, quickEnds);
                }

                if (next is null) break;
                process = next;
            }

            lock (_lock) Settle(start);
        }
        catch (OperationCanceledException) when (_detached.IsCancellationRequested)
        {
            // The agent ends. The process and its record stay as they are.
        }
    }

    private async Task<ProcessExit> ExitAsync(ProcessIdentity process)
    {
        while (true)
        {
            try
            {
                return await watcher.WhenExitedAsync(process, _detached.Token);
            }
            catch (IOException e)
            {
                // For example out of descriptors. The process runs, and the exit code of a child is kept for us.
                lock (_lock) Raise(ProcessEventKind.Trouble, $"Pid {process.Pid} cannot be watched now. Next try in {WatchAgain.TotalSeconds} s. {e.Message}");
                await Task.Delay(WatchAgain, time, _detached.Token);
            }
        }
    }

    private void NoteExit(ProcessIdentity process, ProcessExit exit)
    {
        IReadOnlyList<string> lines;
        try
        {
            lines = LogTail.LastLines(_record!.Spec.LogFile, LinesOfAnEnd, _logStart);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An unreadable log is no reason not to restart.
            lines = [$"({e.Message})"];
        }

        _status = _status with { Running = null, StartedAt = null, LastExit = new(time.GetUtcNow(), process, exit, lines) };
        Raise(ProcessEventKind.Exited, $"Pid {process.Pid} ended: {exit}.", lines.Count > 0 ? lines[^1] : "");
    }

    private RestartDecision Decide(int start, TimeSpan uptime, int quickEnds)
    {
        lock (_lock)
        {
            var wanted = _record!.Wanted && start == _starts && !_detached.IsCancellationRequested;
            var decision = RestartDecision.After(new(wanted, uptime, quickEnds));
            if (decision is RestartDecision.Restart { Delay: var delay })
            {
                if (_pause.IsCancellationRequested) _pause = new();
                Raise(ProcessEventKind.RestartPlanned, $"It will be started again in {delay.TotalSeconds:0.#} s.");
            }

            return decision;
        }
    }

    /// <summary>False if a stop, a start by a caller or the agent's end came first.</summary>
    private async Task<bool> PauseAsync(TimeSpan delay)
    {
        CancellationToken pause;
        lock (_lock) pause = _pause.Token;
        try
        {
            await Task.Delay(delay, time, pause);
            await PrepareAsync(pause);
            return true;
        }
        catch (OperationCanceledException) when (pause.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Repeats what must precede a restart until it succeeds, or until the process is no longer wanted.</summary>
    private async Task PrepareAsync(CancellationToken pause)
    {
        if (BeforeRestart is null) return;
        for (var wait = WatchAgain; ; wait = wait * 2 < LongestWait ? wait * 2 : LongestWait)
        {
            try
            {
                await BeforeRestart(pause);
                return;
            }
            catch (Exception e) when (!pause.IsCancellationRequested)
            {
                lock (_lock) Raise(ProcessEventKind.Trouble, $"It cannot be started again now. Next try in {wait.TotalSeconds:0} s. {(e is ProblemException { Problem: var problem } ? problem : e)}");
            }

            await Task.Delay(wait, time, pause);
        }
    }

    private ProcessIdentity? TryRestart(int start)
    {
        lock (_lock)
        {
            if (!_record!.Wanted || start != _starts || _detached.IsCancellationRequested) return null;
            try
            {
                return Spawn(_status.Restarts + 1);
            }
            catch (ProblemException e)
            {
                Raise(ProcessEventKind.Trouble, e.Problem.ToString());
                return null;
            }
        }
    }

    private void Settle(int start)
    {
        if (start == _starts && _record is { Process: not null } record && !_detached.IsCancellationRequested) TryWrite(record with { Process = null });
    }
}
