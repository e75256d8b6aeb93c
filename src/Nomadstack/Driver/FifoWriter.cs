// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Driver;

/// <summary>The writing end of a FIFO. Never blocks, and no child inherits it. The end of its reader is a result, not a signal.</summary>
internal sealed class FifoWriter : IDisposable
{
    private int _fd;

    private FifoWriter(int fd) => _fd = fd;

    /// <summary>Opens both ends, so that written data waits for a reader that may not exist yet. Null if there is no FIFO with that name.</summary>
    public static FifoWriter? OpenWithoutReader(string path) => Open(path, Libc.O_RDWR, out _);

    /// <summary>Opens only the writing end; null with ENXIO in <paramref name="errno"/> while nobody reads.</summary>
    public static FifoWriter? OpenForReader(string path, out int errno) => Open(path, Libc.O_WRONLY, out errno);

    /// <summary>The number of written bytes; 0 if the pipe is full, -1 if the reader is gone. Up to 4096 bytes are written completely or not at all.</summary>
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

    /// <summary>Whether the last reader closed its end. Never true for a FIFO that was opened without a reader.</summary>
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
        // Only a pipe has a pipe's size. This detects a plain file in the FIFO's place, which would fill the disk.
        if (Libc.FCntl(fd, Libc.F_GETPIPE_SZ, 0) > 0) return new(fd);
        _ = Libc.Close(fd);
        return null;
    }
}
