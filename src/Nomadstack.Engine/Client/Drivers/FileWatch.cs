// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>Tells when files grow: one inotify instance for all of them, where .NET's watcher takes one and a thread for each.</summary>
internal sealed class FileWatch : IAsyncDisposable
{
    private const int EventHead = 16;

    private readonly Poller _poller;
    private readonly SafeFileHandle _inotify = Poller.Handle(Libc.INotifyInit(Libc.O_CLOEXEC | Libc.O_NONBLOCK), "inotify_init1");
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Action> _changed = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public FileWatch(Poller poller)
    {
        _poller = poller;
        _running = RunAsync();
    }

    /// <summary>Calls back, briefly please, after each write until the subscription is disposed. For a folder: after each write to a file in it.</summary>
    public IDisposable Watch(string path, Action changed)
    {
        lock (_gate)
        {
            var watch = Libc.INotifyAdd((int)_inotify.DangerousGetHandle(), path, Libc.IN_MODIFY);
            if (watch < 0) throw new IOException($"inotify_add_watch {path}: {Libc.LastError}");
            // The same path has one watch, however many ask for it.
            _changed[watch] = _changed.GetValueOrDefault(watch) + changed;
            return new Subscription(() => Remove(watch, changed));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _inotify.Dispose();
        _stop.Dispose();
    }

    private void Remove(int watch, Action changed)
    {
        lock (_gate)
        {
            if (!_changed.TryGetValue(watch, out var all)) return;
            if (all - changed is { } others) _changed[watch] = others;
            else if (_changed.Remove(watch) && !_inotify.IsClosed) _ = Libc.INotifyRemove((int)_inotify.DangerousGetHandle(), watch);
        }
    }

    private async Task RunAsync()
    {
        var buffer = new byte[8192];
        try
        {
            while (true)
            {
                await _poller.WhenReadableAsync(_inotify, _stop.Token);
                for (var count = ReadEvents(buffer); count > 0; count = ReadEvents(buffer)) Tell(buffer.AsSpan(0, count));
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Nobody is to be told any more.
        }
    }

    private void Tell(ReadOnlySpan<byte> events)
    {
        for (; events.Length >= EventHead; events = events[(EventHead + BinaryPrimitives.ReadInt32LittleEndian(events[12..]))..])
        {
            Action? changed;
            lock (_gate) _changed.TryGetValue(BinaryPrimitives.ReadInt32LittleEndian(events), out changed);
            changed?.Invoke();
        }
    }

    private unsafe int ReadEvents(byte[] buffer)
    {
        fixed (byte* start = buffer) return (int)Libc.Read((int)_inotify.DangerousGetHandle(), start, buffer.Length);
    }

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
