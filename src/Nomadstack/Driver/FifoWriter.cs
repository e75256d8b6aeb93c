// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Driver;

/// <summary>The writing end of a FIFO. Never blocks, is never inherited by a child, and its reader's death is a result, not a signal.</summary>
internal sealed class FifoWriter : IDisposable
{
    private int _fd;

    private FifoWriter(int fd) => _fd = fd;

    /// <summary>Opens both ends, so that a reader need not exist yet and what is written waits for it. Null when there is no FIFO of that name.</summary>
    public static FifoWriter? OpenWithoutReader(string path) => Open(path, Libc.O_RDWR, out _);

    /// <summary>Opens the writing end alone; null with ENXIO in <paramref name="errno"/> while nobody reads.</summary>
    public static FifoWriter? OpenForReader(string path, out int errno) => Open(path, Libc.O_WRONLY, out errno);

    /// <summary>Number of bytes taken, 0 when the pipe is full, -1 when the reader is gone. Up to 4096 bytes are taken wholly or not at all.</summary>
    public unsafe int TryWrite(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            while (true)
            {
                var written = Libc.Write(_fd, start, bytes.Length);
                if (written >= 0) return (int)written;
                switch (Marshal.GetLastPInvokeError())
                {
                    case Libc.EINTR: continue;
                    case Libc.EAGAIN: return 0;
                    case Libc.EPIPE: return -1;
                    default: throw new IOException($"Writing to a FIFO: {Marshal.GetLastPInvokeErrorMessage()}");
                }
            }
        }
    }

    /// <summary>Whether the last reader closed its end. Never true of a FIFO opened without reader.</summary>
    public unsafe bool ReaderGone()
    {
        var poll = new Libc.PollFd { Fd = _fd };
        return Libc.Poll(&poll, 1, 0) > 0 && (poll.Revents & Libc.POLLERR) != 0;
    }

    public void Dispose()
    {
        if (_fd < 0) return;
        _ = Libc.Close(_fd);
        _fd = -1;
    }

    private static FifoWriter? Open(string path, int mode, out int errno)
    {
        int fd;
        do
        {
            fd = Libc.Open(path, mode | Libc.O_NONBLOCK | Libc.O_CLOEXEC, 0);
            errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (errno == Libc.EINTR);
        if (fd < 0) return null;
        // Only a pipe has a pipe's size: a plain file in the FIFO's place must not fill the disk.
        if (Libc.FCntl(fd, Libc.F_GETPIPE_SZ, 0) > 0) return new(fd);
        _ = Libc.Close(fd);
        return null;
    }
}
