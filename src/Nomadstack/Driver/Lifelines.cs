// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Driver;

/// <summary>
/// Connects every plugin process that Nomad launches to this agent. Each makes a FIFO named after its pid and copies it to its standard output.
/// We write the handshake there, which sends Nomad to the driver's socket. The plugin runs exactly as long as we keep the FIFO open,
/// so it exits when we close it, and when this agent ends for any reason.
/// </summary>
internal sealed partial class Lifelines(string folder, string driverSocket, TimeProvider time, ILogger<Lifelines> log) : IAsyncDisposable
{
    /// <summary>Between looks for what inotify did not tell: plugins that died.</summary>
    private static readonly TimeSpan s_sweep = TimeSpan.FromSeconds(15);

    /// <summary>Between looks whether the folder was swept away: a launch that finds none fails at once, and its Nomad client ends.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);

    /// <summary>The reader follows its FIFO within a few milliseconds: that of the handshake's 30 is worth looking often, at first.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(1), s_later = TimeSpan.FromMilliseconds(250);
    private const int LooksSoon = 200;

    private readonly byte[] _handshake = Encoding.UTF8.GetBytes($"1|2|unix|{driverSocket}|grpc\n");
    private readonly ConcurrentDictionary<string, Task> _opening = new(StringComparer.Ordinal);
    private readonly List<Lifeline> _open = [];
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private FileSystemWatcher? _watcher;
    private Task _sweeper = Task.CompletedTask;
    private bool _disposed;

    private sealed record Lifeline(int Pid, int? Parent, FifoWriter Fifo);

    public int Count
    {
        get
        {
            lock (_gate) return _open.Count;
        }
    }

    /// <summary>Begins to serve launches, including those that already wait. Call it once the driver's socket accepts connections: Nomad connects at once.</summary>
    public void Start()
    {
        Watch();
        _sweeper = SweepAsync();
    }

    /// <summary>
    /// Ends the plugin process that a Shutdown call means. The call does not name it, and all launches share one socket. But a Nomad client
    /// ends its launches in reverse order, so its newest is meant. A client that was killed and restarted reattaches to a plugin that is
    /// no longer its child. So if no lifeline is the caller's own, the newest of all is meant.
    /// </summary>
    public bool CloseNewest(int callerPid)
    {
        Lifeline? newest;
        lock (_gate)
        {
            DropDead();
            newest = _open.FindLast(line => line.Parent == callerPid) ?? _open.LastOrDefault();
            if (newest is null) return false;
            _open.Remove(newest);
        }

        newest.Fifo.Dispose();
        LogClosed(newest.Pid);
        return true;
    }

    /// <summary>Ends every plugin process. Nomad launches a new one, which waits for the next agent.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        _watcher?.Dispose();
        await _stop.CancelAsync();
        await _sweeper;
        await Task.WhenAll(_opening.Values);
        lock (_gate)
        {
            foreach (var line in _open) line.Fifo.Dispose();
            _open.Clear();
        }

        _stop.Dispose();
    }

    private void Watch()
    {
        _watcher?.Dispose();
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName };
        _watcher.Created += (_, created) => Begin(created.FullPath);
        _watcher.Error += (_, _) => Scan();
        _watcher.EnableRaisingEvents = true;
        Scan();
    }

    private void Renew()
    {
        try
        {
            Watch();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Tried again at the next look, and told by whoever owns the folder above.
            LogNoFolder(folder, e.Message);
        }
    }

    private void Scan()
    {
        foreach (var path in Directory.EnumerateFiles(folder)) Begin(path);
    }

    private void Begin(string path)
    {
        if (_stop.IsCancellationRequested || !int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // Watcher and scan may both see a name. The first to add it here does the work.
        if (_opening.TryAdd(path, started.Task)) _ = OpenAsync(path, pid, started);
    }

    private async Task OpenAsync(string path, int pid, TaskCompletionSource done)
    {
        try
        {
            for (var look = 0; ; look++)
            {
                var fifo = FifoWriter.OpenForReader(path, out var errno);
                if (fifo is not null)
                {
                    Hold(path, pid, fifo);
                    return;
                }

                if (errno != Libc.ENXIO)
                {
                    // Already gone, or not a FIFO. The scan retries after anything else, such as too many open files.
                    if (errno is not (Libc.ENOENT or 0)) LogCannotOpen(path, errno);
                    return;
                }

                if (!Directory.Exists($"/proc/{pid}"))
                {
                    File.Delete(path);
                    return;
                }

                await Task.Delay(look < LooksSoon ? s_soon : s_later, time, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops. The plugin waits for the next agent.
        }
        catch (IOException e)
        {
            LogFailed(path, e);
        }
        finally
        {
            _opening.TryRemove(path, out _);
            done.SetResult();
        }
    }

    private void Hold(string path, int pid, FifoWriter fifo)
    {
        // Recorded before the handshake: Nomad may answer with Shutdown before this method ends.
        lock (_gate)
        {
            DropDead();
            _open.Add(new(pid, ProcessUsage.ParentOf(pid), fifo));
        }

        fifo.TryWrite(_handshake);
        File.Delete(path);
        LogOpened(pid);
    }

    private void DropDead()
    {
        for (var i = _open.Count - 1; i >= 0; i--)
        {
            if (!_open[i].Fifo.ReaderGone()) continue;
            _open[i].Fifo.Dispose();
            _open.RemoveAt(i);
        }
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(s_look, time);
        var looks = 0;
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                // Cleaners of temporary folders exist. Without its folder no plugin can start, and a Nomad client without plugin exits.
                if (!Directory.Exists(folder)) Renew();
                if (++looks % (int)(s_sweep / s_look) != 0) continue;
                lock (_gate) DropDead();
                if (Directory.Exists(folder)) Scan();
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Plugin process {Pid} completed its handshake")]
    private partial void LogOpened(int pid);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Plugin process {Pid} was told to exit")]
    private partial void LogClosed(int pid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lifeline {Path} cannot be opened (errno {Errno}). Next try within 15 s. Until then, Nomad's client waits for its driver.")]
    private partial void LogCannotOpen(string path, int errno);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The folder {Folder} was removed and cannot be made anew yet: {Why}")]
    private partial void LogNoFolder(string folder, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lifeline {Path} failed; Nomad launches another")]
    private partial void LogFailed(string path, Exception e);
}
