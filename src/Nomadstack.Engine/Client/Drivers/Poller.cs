// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>One thread that waits for any number of descriptors: processes that end, pipes and notifications that have something to read.</summary>
internal sealed class Poller : IDisposable
{
    private const ulong Wake = 0;

    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, (SafeFileHandle Handle, TaskCompletionSource Ready)> _waits = [];
    private readonly SafeFileHandle _epoll, _wake;
    private readonly Thread _thread;
    private ulong _last = Wake;
    private bool _stopping;

    private Poller(SafeFileHandle epoll, SafeFileHandle wake)
    {
        (_epoll, _wake) = (epoll, wake);
        _thread = new Thread(Run) { Name = "poller", IsBackground = true };
    }

    /// <summary>epoll_event is packed on x86 alone.</summary>
    private static int TicketOffset => RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 4 : 8;

    public static Poller Start()
    {
        var poller = new Poller(Handle(Libc.EPollCreate(Libc.O_CLOEXEC), "epoll_create1"), Handle(Libc.EventFd(0, Libc.O_CLOEXEC), "eventfd"));
        poller.Control(Libc.EPOLL_CTL_ADD, poller._wake, Libc.EPOLLIN, Wake);
        poller._thread.Start();
        return poller;
    }

    public static SafeFileHandle Handle(int fd, string call) => fd >= 0 ? new(fd, ownsHandle: true) : throw new IOException($"{call}: {Libc.LastError}");

    /// <summary>Completes when the descriptor can be read. One wait at a time for each; it must stay open until this ends.</summary>
    public async Task WhenReadableAsync(SafeFileHandle handle, CancellationToken cancel)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong ticket;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            ticket = ++_last;
            Control(Libc.EPOLL_CTL_ADD, handle, Libc.EPOLLIN | Libc.EPOLLONESHOT, ticket);
            _waits.Add(ticket, (handle, ready));
        }

        await using var registration = cancel.UnsafeRegister(_ =>
        {
            if (Take(ticket)) ready.TrySetCanceled(cancel);
        }, null);
        await ready.Task;
    }

    public unsafe void Dispose()
    {
        lock (_gate)
        {
            if (_stopping) return;
            _stopping = true;
        }

        var one = 1UL;
        _ = Libc.Write((int)_wake.DangerousGetHandle(), (byte*)&one, sizeof(ulong));
        _thread.Join();
        foreach (var wait in _waits.Values) wait.Ready.TrySetCanceled();
        _epoll.Dispose();
        _wake.Dispose();
    }

    private unsafe void Run()
    {
        const int capacity = 32;
        var size = TicketOffset + sizeof(ulong);
        var buffer = new byte[capacity * size];
        while (!Volatile.Read(ref _stopping))
        {
            int count;
            fixed (byte* events = buffer) count = Libc.EPollWait((int)_epoll.DangerousGetHandle(), events, capacity, -1);
            if (count < 0 && Libc.LastErrno != Libc.EINTR) throw new IOException($"epoll_wait: {Libc.LastError}");
            for (var i = 0; i < count; i++)
            {
                var ticket = BitConverter.ToUInt64(buffer, i * size + TicketOffset);
                TaskCompletionSource? ready;
                lock (_gate) ready = _waits.TryGetValue(ticket, out var wait) ? wait.Ready : null;
                if (ticket != Wake && Take(ticket)) ready!.TrySetResult();
            }
        }
    }

    private bool Take(ulong ticket)
    {
        lock (_gate)
        {
            if (_stopping || !_waits.Remove(ticket, out var wait)) return false;
            Control(Libc.EPOLL_CTL_DEL, wait.Handle, 0, 0);
            return true;
        }
    }

    private unsafe void Control(int operation, SafeFileHandle handle, uint events, ulong ticket)
    {
        var item = stackalloc byte[16];
        var span = new Span<byte>(item, 16);
        span.Clear();
        BitConverter.TryWriteBytes(span, events);
        BitConverter.TryWriteBytes(span[TicketOffset..], ticket);
        if (Libc.EPollControl((int)_epoll.DangerousGetHandle(), operation, (int)handle.DangerousGetHandle(), item) != 0) throw new IOException($"epoll_ctl: {Libc.LastError}");
    }
}
