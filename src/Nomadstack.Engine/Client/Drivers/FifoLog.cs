// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// Carries what a plugin's driver writes into a FIFO over into rotated log files. Both ends are held open here, so that writers may come and go.
/// </summary>
internal sealed class FifoLog : IAsyncDisposable
{
    private const int ChunkLength = 64 * 1024, PipeSize = 1024 * 1024;

    private readonly SafeFileHandle _fifo;
    private readonly LogRotator _rotator;
    private readonly Poller _poller;
    private readonly string _path;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public FifoLog(string path, LogRotator rotator, Poller poller, ILogger log)
    {
        (_path, _rotator, _poller, _log) = (path, rotator, poller, log);
        if (Libc.MkFifo(path, Convert.ToInt32("600", 8)) != 0 && Libc.LastErrno != Libc.EEXIST) throw new IOException($"mkfifo {path}: {Libc.LastError}");
        _fifo = Poller.Handle(Libc.Open(path, Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC, 0), "open " + path);
        // The longest a task can write while no client runs. Refused to ordinary users beyond a limit; then it is the usual 64 KiB.
        _ = Libc.FCntl((int)_fifo.DangerousGetHandle(), Libc.F_SETPIPE_SZ, PipeSize);
        _running = RunAsync();
    }

    /// <summary>Carries over what is in the pipe and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        Carry(new byte[ChunkLength]);
        _fifo.Dispose();
        _rotator.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var buffer = new byte[ChunkLength];
        try
        {
            while (true)
            {
                await _poller.WhenReadableAsync(_fifo, _stop.Token);
                Carry(buffer);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The rest is carried over by whoever stopped this.
        }
    }

    private void Carry(byte[] buffer)
    {
        for (var read = Read(buffer); read > 0; read = Read(buffer))
        {
            try
            {
                _rotator.Write(buffer.AsSpan(0, read));
            }
            catch (IOException e)
            {
                // Kept in the pipe it would block its writer: better a gap in a log than a task that stands still.
                _log.LogWarning(e, "{Bytes} bytes from {Fifo} are lost: the log file cannot be written", read, _path);
            }
        }
    }

    private unsafe int Read(byte[] buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var read = Libc.Read((int)_fifo.DangerousGetHandle(), start, buffer.Length);
                if (read >= 0) return (int)read;
                if (Libc.LastErrno == Libc.EAGAIN) return 0;
                if (Libc.LastErrno != Libc.EINTR) throw new IOException($"read: {Libc.LastError}");
            }
        }
    }
}
