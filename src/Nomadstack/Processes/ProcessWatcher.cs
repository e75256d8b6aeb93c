// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>
/// One thread that waits for the end of any number of processes, both children and adopted ones, and reaps the children.
/// A wait ends with the process, with its caller's token, or with <see cref="Dispose"/>, which leaves all processes alone.
/// </summary>
/// <remarks>.NET's own SIGCHLD handling reaps only what System.Diagnostics.Process started, so it does not interfere with this class.</remarks>
internal sealed class ProcessWatcher : IDisposable
{
    private const ulong WakeTicket = 0;

    private readonly Lock _lock = new();
    private readonly Dictionary<ProcessIdentity, Watch> _watches = [];
    private readonly Dictionary<ulong, Watch> _byTicket = [];
    private readonly SafeFileHandle _epoll;
    private readonly SafeFileHandle _wake;
    private readonly Thread _thread;
    private ulong _lastTicket = WakeTicket;
    private bool _stopping;

    private ProcessWatcher(SafeFileHandle epoll, SafeFileHandle wake)
    {
        (_epoll, _wake) = (epoll, wake);
        _thread = new Thread(Run) { Name = "processes", IsBackground = true };
    }

    /// <summary>epoll_event is packed on x86 only: 4 + 8 bytes there, 4 + 4 of padding + 8 elsewhere.</summary>
    private static int TicketOffset => RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 4 : 8;

    public static ProcessWatcher Start()
    {
        var epoll = Handle(Libc.EPollCreate(Libc.EPOLL_CLOEXEC), "epoll_create1");
        var wake = Handle(Libc.EventFd(0, Libc.EFD_CLOEXEC), "eventfd");
        var watcher = new ProcessWatcher(epoll, wake);
        watcher.Add(wake, WakeTicket);
        watcher._thread.Start();
        return watcher;
    }

    /// <summary>
    /// Completes when the process has ended. If it is already gone, completes at once with <see cref="ProcessExit.Unknown"/>.
    /// The exit code of a child is known only to callers that asked before it was reaped, so call this right after the spawn.
    /// </summary>
    public Task<ProcessExit> WhenExitedAsync(ProcessIdentity process, CancellationToken cancel)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_watches.TryGetValue(process, out var known)) return known.Exit.Task.WaitAsync(cancel);
            if (PidFd.Open(process) is not { } handle) return Task.FromResult(ProcessExit.Unknown);

            var watch = new Watch(process, handle, ++_lastTicket);
            Add(handle, watch.Ticket);
            _watches.Add(process, watch);
            _byTicket.Add(watch.Ticket, watch);
            return watch.Exit.Task.WaitAsync(cancel);
        }
    }

    public unsafe void Dispose()
    {
        lock (_lock)
        {
            if (_stopping) return;
            _stopping = true;
        }

        var one = 1UL;
        _ = Libc.Write((int)_wake.DangerousGetHandle(), (byte*)&one, sizeof(ulong));
        _thread.Join();
        foreach (var watch in _watches.Values)
        {
            watch.Handle.Dispose();
            watch.Exit.TrySetCanceled();
        }

        _epoll.Dispose();
        _wake.Dispose();
    }

    private unsafe void Run()
    {
        const int capacity = 16;
        var size = TicketOffset + sizeof(ulong);
        var buffer = new byte[capacity * size];
        while (!Volatile.Read(ref _stopping))
        {
            int count;
            fixed (byte* events = buffer) count = Libc.EPollWait((int)_epoll.DangerousGetHandle(), events, capacity, -1);
            if (count < 0 && Marshal.GetLastPInvokeError() != Libc.EINTR) throw new IOException($"epoll_wait: {Marshal.GetLastPInvokeErrorMessage()}");
            for (var i = 0; i < count; i++)
            {
                var ticket = BitConverter.ToUInt64(buffer, i * size + TicketOffset);
                if (ticket != WakeTicket) Ended(ticket);
            }
        }
    }

    private unsafe void Ended(ulong ticket)
    {
        lock (_lock)
        {
            if (!_byTicket.TryGetValue(ticket, out var watch)) return;
            if (Reap(watch.Handle) is not { } exit) return;
            _ = Libc.EPollControl((int)_epoll.DangerousGetHandle(), Libc.EPOLL_CTL_DEL, (int)watch.Handle.DangerousGetHandle(), null);
            watch.Handle.Dispose();
            _watches.Remove(watch.Process);
            _byTicket.Remove(ticket);
            watch.Exit.SetResult(exit);
        }
    }

    /// <summary>Null when nothing has ended.</summary>
    private static unsafe ProcessExit? Reap(SafeFileHandle process)
    {
        // siginfo_t on 64 bit: si_code at 8, si_pid at 16, si_status at 24.
        var info = stackalloc byte[128];
        new Span<byte>(info, 128).Clear();
        while (Libc.WaitId(Libc.P_PIDFD, (int)process.DangerousGetHandle(), info, Libc.WEXITED | Libc.WNOHANG) != 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Libc.EINTR: continue;
                // Not our child: only its parent gets the code.
                case Libc.ECHILD: return ProcessExit.Unknown;
                default: throw new IOException($"waitid: {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }

        var result = new ReadOnlySpan<byte>(info, 128);
        if (Number(result[16..]) == 0) return null;
        var status = Number(result[24..]);
        return Number(result[8..]) == Libc.CLD_EXITED ? new(status, null) : new(null, status);

        static int Number(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadInt32LittleEndian(at);
    }

    private unsafe void Add(SafeFileHandle handle, ulong ticket)
    {
        var item = stackalloc byte[16];
        var span = new Span<byte>(item, 16);
        span.Clear();
        BitConverter.TryWriteBytes(span, Libc.EPOLLIN);
        BitConverter.TryWriteBytes(span[TicketOffset..], ticket);
        if (Libc.EPollControl((int)_epoll.DangerousGetHandle(), Libc.EPOLL_CTL_ADD, (int)handle.DangerousGetHandle(), item) == 0) return;
        var message = Marshal.GetLastPInvokeErrorMessage();
        handle.Dispose();
        throw new IOException($"epoll_ctl: {message}");
    }

    private static SafeFileHandle Handle(int fd, string call) =>
        fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw new IOException($"{call}: {Marshal.GetLastPInvokeErrorMessage()}");

    private sealed record Watch(ProcessIdentity Process, SafeFileHandle Handle, ulong Ticket)
    {
        // Not on the watcher's thread or under its lock: the continuation may take long.
        public TaskCompletionSource<ProcessExit> Exit { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
