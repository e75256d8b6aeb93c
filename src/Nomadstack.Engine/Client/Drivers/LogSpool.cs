// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// Carries what a task writes into its rotated log files. The task appends to a spool file, which never blocks it and needs nobody to be alive;
/// what has been carried over is punched out of the spool. How far it came is kept beside it, so that the next client goes on from there.
/// </summary>
/// <remarks>A client killed between the two writes carries the last piece over twice; it loses nothing.</remarks>
internal sealed class LogSpool : IAsyncDisposable
{
    private const int ChunkLength = 64 * 1024;

    /// <summary>Nomad's log writer flushes as often.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>A full disk is looked at again; meanwhile the spool keeps what it has.</summary>
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(5);

    private readonly SafeFileHandle _spool, _cursor;
    private readonly LogRotator _rotator;
    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly IDisposable _watch;
    private readonly Channel<bool> _grown = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private long _position, _punched;
    private bool _disposed;

    public LogSpool(string spool, LogRotator rotator, FileWatch files, TimeProvider time, ILogger log)
    {
        (_path, _rotator, _time, _log) = (spool, rotator, time, log);
        _spool = File.OpenHandle(spool, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        _cursor = File.OpenHandle(spool + ".at", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        Span<byte> at = stackalloc byte[sizeof(long)];
        _position = RandomAccess.Read(_cursor, at, 0) == at.Length ? BitConverter.ToInt64(at) : 0;
        _watch = files.Watch(spool, () => _grown.Writer.TryWrite(true));
        _grown.Writer.TryWrite(true);
        _running = RunAsync();
    }

    /// <summary>Carries over what is there and ends. The spool stays, for the next client or to be deleted.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        _watch.Dispose();
        await _stop.CancelAsync();
        await _running;
        TryCarry();
        _rotator.Dispose();
        _spool.Dispose();
        _cursor.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            await foreach (var _ in _grown.Reader.ReadAllAsync(_stop.Token))
            {
                if (TryCarry())
                {
                    await Task.Delay(s_pause, _time, _stop.Token);
                }
                else
                {
                    await Task.Delay(s_retry, _time, _stop.Token);
                    _grown.Writer.TryWrite(true);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The rest is carried over by whoever stopped this.
        }
    }

    private bool TryCarry()
    {
        try
        {
            Carry();
            return true;
        }
        catch (IOException e)
        {
            _log.LogWarning(e, "The output in {Spool} cannot be copied to the log files; it is kept and copied later", _path);
            return false;
        }
    }

    private void Carry()
    {
        var buffer = new byte[ChunkLength];
        for (var read = RandomAccess.Read(_spool, buffer, _position); read > 0; read = RandomAccess.Read(_spool, buffer, _position))
        {
            _rotator.Write(buffer.AsSpan(0, read));
            _position += read;
            RandomAccess.Write(_cursor, BitConverter.GetBytes(_position), 0);
        }

        if (_position - _punched < ChunkLength) return;
        // A file system that cannot do this keeps the spool whole until the task ends.
        _ = Libc.FAllocate((int)_spool.DangerousGetHandle(), Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, _punched, _position - _punched);
        _punched = _position;
    }
}
