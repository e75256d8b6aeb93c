// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;

namespace Nomadstack.Life;

/// <summary>
/// All work of an agent belongs to one lifetime: loops and tasks are begun only here, and <see cref="EndAsync"/> cancels and awaits all of them.
/// A loop that fails goes on after a pause, and logs each new failure once. Nothing that is begun here ends without notice.
/// </summary>
internal sealed class Lifetime : IAsyncDisposable
{
    /// <summary>The pause after a failure. It doubles at each further failure, and is reset by a successful round.</summary>
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1), s_longestPause = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _ending;
    private readonly CancellationTokenRegistration _outer;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, (string Name, Task Task)> _begun = [];
    private int _next;
    private Task? _ended;

    /// <param name="outer">Also cancels this lifetime's token. Only <see cref="EndAsync"/> awaits the work.</param>
    public Lifetime(TimeProvider time, ILogger log, CancellationToken outer)
    {
        (_time, _log, _ending) = (time, log, new CancellationTokenSource());
        _outer = outer.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _ending);
    }

    /// <summary>Cancelled when the lifetime ends.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>Names of the running work.</summary>
    public IReadOnlyList<string> Running
    {
        get
        {
            lock (_lock) return [.. _begun.Values.Select(b => b.Name).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Runs rounds until the lifetime ends. A round contains its own wait. A round that throws is logged and repeated after a pause.</summary>
    public Task Loop(string name, Func<CancellationToken, Task> round) => Begin(name, async ending =>
    {
        var pause = s_firstPause;
        var told = "";
        while (true)
        {
            try
            {
                await round(ending);
                if (told.Length > 0) _log.LogInformation("{Loop} works again", name);
                (pause, told) = (s_firstPause, "");
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Any exception: without this, the loop would end and nobody would notice.
                var text = e is ProblemException { Problem: var problem } ? problem.ToString() : e.ToString();
                if (text != told) _log.LogError("{Loop} failed and will be tried again: {Failure}", name, text);
                told = text;
                await Task.Delay(pause, _time, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (ending.IsCancellationRequested) return;
                pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
            }
        }
    });

    /// <summary>Begins work that ends by itself. The returned task fails if <paramref name="act"/> fails. A failure that nobody awaits is logged.</summary>
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

    /// <summary>Cancels all work and waits until it has ended. Never throws; repeatable.</summary>
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
            // How each ended was logged where it was begun.
            await Task.WhenAll(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Yield();
        }
    }
}
