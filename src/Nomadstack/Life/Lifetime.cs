// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;

namespace Nomadstack.Life;

/// <summary>
/// Everything an agent has begun lives in one lifetime: loops and tasks are begun here and nowhere else, and <see cref="EndAsync"/> cancels them and awaits every one.
/// A loop that fails goes on after a pause, and says so once for each new failure; nothing that is begun here ends unseen.
/// </summary>
internal sealed class Lifetime : IAsyncDisposable
{
    /// <summary>The pause after a failure: doubled at each one that follows, back to the first after a round that went well.</summary>
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1), s_longestPause = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _ending;
    private readonly CancellationTokenRegistration _outer;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, (string Name, Task Task)> _begun = [];
    private int _next;
    private Task? _ended;

    /// <param name="outer">Ends this lifetime's token too; what was begun is still awaited by <see cref="EndAsync"/> alone.</param>
    public Lifetime(TimeProvider time, ILogger log, CancellationToken outer)
    {
        (_time, _log, _ending) = (time, log, new CancellationTokenSource());
        _outer = outer.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _ending);
    }

    /// <summary>Cancelled when the lifetime ends.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>Names of what runs now.</summary>
    public IReadOnlyList<string> Running
    {
        get
        {
            lock (_lock) return [.. _begun.Values.Select(b => b.Name).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Runs rounds until the lifetime ends. A round says itself how long it waits; one that throws is told and repeated after a pause.</summary>
    public Task Loop(string name, Func<CancellationToken, Task> round) => Begin(name, async ending =>
    {
        var pause = s_firstPause;
        var told = "";
        while (true)
        {
            try
            {
                await round(ending);
                if (told.Length > 0) _log.LogInformation("{Loop} goes on as before", name);
                (pause, told) = (s_firstPause, "");
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Anything at all: a loop that died would leave the node without what it does, and nobody would know.
                var text = e is ProblemException { Problem: var problem } ? problem.ToString() : e.ToString();
                if (text != told) _log.LogError("{Loop} failed and is tried again: {Failure}", name, text);
                told = text;
                await Task.Delay(pause, _time, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (ending.IsCancellationRequested) return;
                pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
            }
        }
    });

    /// <summary>Begins something with an end of its own. The task that comes back fails as <paramref name="act"/> does; a failure that nobody awaits is logged.</summary>
    /// <exception cref="OperationCanceledException">The lifetime has ended: nothing is begun any more.</exception>
    public Task Begin(string name, Func<CancellationToken, Task> act)
    {
        lock (_lock)
        {
            _ending.Token.ThrowIfCancellationRequested();
            var id = _next++;
            var task = Task.Run(() => act(_ending.Token), CancellationToken.None);
            _begun[id] = (name, task);
            _ = task.ContinueWith(
                ended =>
                {
                    if (ended.Exception is { InnerException: var failure and not ProblemException }) _log.LogError("{Task} ended with {Failure}", name, failure);
                    lock (_lock) _begun.Remove(id);
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            return task;
        }
    }

    /// <summary>Cancels all that was begun and waits until it has ended. Never throws; repeatable.</summary>
    public Task EndAsync()
    {
        lock (_lock) return _ended ??= AwaitAllAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        await _outer.DisposeAsync();
        _ending.Dispose();
    }

    private async Task AwaitAllAsync()
    {
        await _ending.CancelAsync();
        while (true)
        {
            Task[] left;
            lock (_lock) left = [.. _begun.Values.Select(b => b.Task)];
            if (left.Length == 0) return;
            // How each ended was told where it was begun.
            await Task.WhenAll(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Yield();
        }
    }
}
