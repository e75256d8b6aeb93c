// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using System.Text;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Cli.Output;

/// <summary>
/// Standard output or standard error. Never throws: what cannot be written is dropped and the reason kept, since no terminal that closes, no full disk and no pipe
/// without a reader is a reason to die. Whether a lost answer makes a command fail is decided where it ends.
/// </summary>
internal sealed class StandardStream : Stream
{
    private const int Output = 1, StandardError = 2;
    private const int BadDescriptor = 9;

    private readonly int _fd;
    private readonly bool _closed;
    private bool _abandoned;
    private int _lost;

    private StandardStream(int fd, bool open) => (_fd, _closed) = (fd, !open);

    /// <summary>Why something written was lost; null when nothing was, or when its reader had seen enough.</summary>
    public string? Lost => _lost == 0 ? null : Marshal.GetPInvokeErrorMessage(_lost).TrimEnd('.') + ".";

    /// <summary>A pipe that nobody reads any more.</summary>
    public unsafe bool NobodyReads
    {
        get
        {
            if (_abandoned || _closed) return _abandoned;
            var look = new Libc.PollFd { Fd = _fd };
            return Libc.Poll(&look, 1, 0) > 0 && (look.Revents & Libc.POLLERR) != 0;
        }
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Both, before anything else of this process opens a file: where one of them is closed, that file would get its number, and our lines with it.</summary>
    public static (StandardStream Out, StandardStream Error) OfThisProcess()
    {
        var streams = (new StandardStream(Output, IsInherited(Output)), new StandardStream(StandardError, IsInherited(StandardError)));
        int fd;
        // The lowest free number is given first.
        while ((fd = Libc.Open("/dev/null", Libc.O_RDWR | Libc.O_CLOEXEC, 0)) is >= 0 and <= StandardError)
        {
        }

        if (fd >= 0) _ = Libc.Close(fd);
        return streams;
    }

    /// <summary>Each line at once, in the terminal's encoding.</summary>
    public TextWriter Writer()
    {
        var encoding = Console.OutputEncoding is UTF8Encoding ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false) : Console.OutputEncoding;
        return TextWriter.Synchronized(new StreamWriter(this, encoding) { AutoFlush = true });
    }

    public override void Flush()
    {
    }

    public override unsafe void Write(ReadOnlySpan<byte> buffer)
    {
        if (_abandoned) return;
        var error = _closed ? BadDescriptor : 0;
        fixed (byte* start = buffer)
        {
            var done = 0;
            while (done < buffer.Length && error == 0)
            {
                var n = Libc.Write(_fd, start + done, buffer.Length - done);
                if (n >= 0) done += (int)n;
                else if (Libc.LastErrno == Libc.EAGAIN) WaitForRoom();
                else if (Libc.LastErrno != Libc.EINTR) error = Libc.LastErrno;
            }
        }

        // A disk that is full may have room for the next line; a reader that went does not come back.
        if (error == Libc.EPIPE) _abandoned = true;
        else if (error != 0 && _lost == 0) _lost = error;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>No descriptor that this process opened for itself outlives an exec, so one that does was given to us.</summary>
    private static bool IsInherited(int fd) => Libc.FCntl(fd, Libc.F_GETFD, 0) is >= 0 and var flags && (flags & Libc.FD_CLOEXEC) == 0;

    private unsafe void WaitForRoom()
    {
        var room = new Libc.PollFd { Fd = _fd, Events = Libc.POLLOUT };
        _ = Libc.Poll(&room, 1, -1);
    }
}
