// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Driver;

/// <summary>
/// Copies the lines that a server adds to its log file into the FIFO of its allocation, so that <c>nomad alloc logs</c> shows them.
/// The server is never touched: a reader that is absent, slow or dead costs lines in the allocation's log, and one line there says how much.
/// </summary>
internal sealed partial class LogForwarder(string source, string target, TimeProvider time, ILogger log, LogKeeper? keeper = null)
{
    private const int ChunkLength = 64 * 1024;

    /// <summary>Up to this length the kernel takes a write wholly or not at all (PIPE_BUF).</summary>
    private const int WholeWrite = 4096;

    /// <summary>How far a reader may fall behind, and how much of the newest is kept when it fell further.</summary>
    internal const long Furthest = 1024 * 1024, KeptOnSkip = 256 * 1024;

    /// <summary>How long a full pipe must take nothing before lines are given up.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_busy = TimeSpan.FromMilliseconds(200), s_idle = TimeSpan.FromSeconds(1), s_full = TimeSpan.FromMilliseconds(5);

    private long _position;
    private long _lastLength;
    private long _lost;
    private bool _midLine;
    private bool _warned;

    private enum Pass
    {
        Nothing,
        All,
        Some,
        Full,
    }

    /// <summary>Where the file ends now: taken before a claim, it lets the lines of the server's start through and no older ones.</summary>
    public static long EndOf(string source) => new FileInfo(source) is { Exists: true } file ? file.Length : 0;

    /// <summary>Runs until cancelled, then copies once more what the pipe takes at once.</summary>
    public async Task RunAsync(long from, CancellationToken cancel)
    {
        // Logging was switched off in the job.
        if (target is "" or "/dev/null") return;
        _position = _lastLength = from;
        FifoWriter? fifo = null;
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkLength);
        try
        {
            var wait = s_busy;
            var progressed = time.GetTimestamp();
            while (!cancel.IsCancellationRequested)
            {
                var stuck = time.GetElapsedTime(progressed);
                var pass = Copy(ref fifo, buffer, impatient: stuck >= s_patience);
                if (pass != Pass.Full) progressed = time.GetTimestamp();
                // Quick while there is something to do, ever slower while there is not.
                wait = pass switch
                {
                    Pass.All => s_busy,
                    Pass.Some => s_full,
                    Pass.Full => stuck < s_busy ? s_full : s_busy,
                    _ => wait * 1.5 < s_idle ? wait * 1.5 : s_idle,
                };
                await Task.Delay(wait, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            Copy(ref fifo, buffer, impatient: false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            fifo?.Dispose();
        }
    }

    private Pass Copy(ref FifoWriter? fifo, byte[] buffer, bool impatient)
    {
        try
        {
            if (fifo is null)
            {
                fifo = FifoWriter.OpenWithoutReader(target);
                if (fifo is not null)
                {
                    keeper?.Keep(target);
                }
                else
                {
                    if (!_warned && File.Exists(target)) LogNoFifo(target);
                    _warned = true;
                    impatient = true;
                }
            }

            var length = EndOf(source);
            if (length < _position) Restart(length);
            _lastLength = length;
            if (impatient) SkipBefore(length);
            return fifo is null ? Pass.Nothing : Copy(fifo, buffer, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The server runs on whatever happens to its log; said once, tried for ever.
            if (!_warned) LogFailed(source, target, e);
            _warned = true;
            return Pass.Nothing;
        }
    }

    private Pass Copy(FifoWriter fifo, byte[] buffer, long length)
    {
        if (!TellLoss(fifo)) return Pass.Full;
        if (length == _position) return Pass.Nothing;
        // Opened anew each time, so that a file rotated by renaming is followed too.
        using var file = File.OpenHandle(source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var result = Pass.Nothing;
        while (true)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, ChunkLength), _position);
            var whole = buffer.AsSpan(0, read).LastIndexOf((byte)'\n') + 1;
            // A line without end is sent as it is rather than never.
            var send = whole == 0 && read == ChunkLength ? read : whole;
            if (send == 0) return result;
            var sent = Send(fifo, buffer.AsSpan(0, send));
            if (sent < send) return sent > 0 || result == Pass.All ? Pass.Some : Pass.Full;
            result = Pass.All;
        }
    }

    /// <summary>Sends whole lines as far as the pipe takes them; returns the number of bytes taken.</summary>
    private int Send(FifoWriter fifo, ReadOnlySpan<byte> lines)
    {
        var sent = 0;
        while (sent < lines.Length)
        {
            var rest = lines[sent..];
            var piece = rest.Length <= WholeWrite ? rest : rest[..WholeWrite];
            if (piece.LastIndexOf((byte)'\n') is >= 0 and var end) piece = piece[..(end + 1)];
            var taken = fifo.TryWrite(piece);
            if (taken <= 0) break;
            sent += taken;
            _position += taken;
            _midLine = piece[taken - 1] != '\n';
        }

        return sent;
    }

    /// <summary>The file was rotated: what had not been copied by then is lost.</summary>
    private void Restart(long length)
    {
        _lost += _lastLength - _position;
        _position = 0;
        _lastLength = length;
    }

    /// <summary>Gives up the oldest lines when the reader fell too far behind.</summary>
    private void SkipBefore(long length)
    {
        if (length - _position <= Furthest) return;
        var resume = LineAfter(length - KeptOnSkip);
        _lost += resume - _position;
        _position = resume;
    }

    /// <summary>Says how much is missing at this place of the log; false when the pipe is too full even for that.</summary>
    private bool TellLoss(FifoWriter fifo)
    {
        if (_lost == 0) return true;
        var notice = Encoding.UTF8.GetBytes($"{(_midLine ? "\n" : "")}nomadstack: {_lost} bytes of the server's log are missing here, because nobody read them in time\n");
        if (fifo.TryWrite(notice) <= 0) return false;
        _lost = 0;
        _midLine = false;
        return true;
    }

    private long LineAfter(long offset)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkLength);
        try
        {
            using var file = File.OpenHandle(source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var read = RandomAccess.Read(file, buffer.AsSpan(0, ChunkLength), offset);
            return offset + buffer.AsSpan(0, read).IndexOf((byte)'\n') + 1;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Target} is no FIFO; the server's log is not shown in its allocation until it becomes one")]
    private partial void LogNoFifo(string target);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log {Source} cannot be copied to {Target}; it is tried on")]
    private partial void LogFailed(string source, string target, Exception e);
}
