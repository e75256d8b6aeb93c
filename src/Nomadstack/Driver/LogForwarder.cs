// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Driver;

/// <summary>
/// Copies new lines of a server's log file to the FIFO of its allocation, so that <c>nomad alloc logs</c> shows them.
/// The server is never affected. If the reader is missing, slow or dead, lines are lost in the allocation's log, and one line there says how many bytes.
/// </summary>
internal sealed partial class LogForwarder(string source, string target, TimeProvider time, ILogger log, LogKeeper? keeper = null)
{
    private const int ChunkLength = 64 * 1024;

    /// <summary>Up to this length the kernel accepts a write completely or not at all (PIPE_BUF).</summary>
    private const int WholeWrite = 4096;

    /// <summary>How many bytes a reader may be behind, and how many of the newest are kept if it is further behind.</summary>
    internal const long Furthest = 1024 * 1024, KeptOnSkip = 256 * 1024;

    /// <summary>How long a pipe must be full before lines are dropped.</summary>
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

    /// <summary>The present end of the file. Read before a claim, so that the lines of the server's start are copied and no older ones.</summary>
    public static long EndOf(string source) => new FileInfo(source) is { Exists: true } file ? file.Length : 0;

    /// <summary>Runs until cancelled, then copies once more what the pipe accepts at once.</summary>
    public async Task RunAsync(long from, CancellationToken cancel)
    {
        // The job has disabled logging.
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
                // Short intervals while there is something to copy, and longer ones while there is not.
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
            // The server runs on, whatever happens to its log. The failure is logged once, and the copy is retried without end.
            if (!_warned) LogFailed(source, target, e);
            _warned = true;
            return Pass.Nothing;
        }
    }

    private Pass Copy(FifoWriter fifo, byte[] buffer, long length)
    {
        if (!TellLoss(fifo)) return Pass.Full;
        if (length == _position) return Pass.Nothing;
        // Opened again each time, so that a file that was rotated by renaming is followed too.
        using var file = File.OpenHandle(source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var result = Pass.Nothing;
        while (true)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, ChunkLength), _position);
            var whole = buffer.AsSpan(0, read).LastIndexOf((byte)'\n') + 1;
            // A line without an end is sent as it is.
            var send = whole == 0 && read == ChunkLength ? read : whole;
            if (send == 0) return result;
            var sent = Send(fifo, buffer.AsSpan(0, send));
            if (sent < send) return sent > 0 || result == Pass.All ? Pass.Some : Pass.Full;
            result = Pass.All;
        }
    }

    /// <summary>Sends whole lines as far as the pipe accepts them; returns the number of bytes sent.</summary>
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

    /// <summary>The file was rotated: lines that were not copied by then are lost.</summary>
    private void Restart(long length)
    {
        _lost += _lastLength - _position;
        _position = 0;
        _lastLength = length;
    }

    /// <summary>Drops the oldest lines if the reader is too far behind.</summary>
    private void SkipBefore(long length)
    {
        if (length - _position <= Furthest) return;
        var resume = LineAfter(length - KeptOnSkip);
        _lost += resume - _position;
        _position = resume;
    }

    /// <summary>Writes how many bytes are missing at this place of the log; false if the pipe is too full even for that.</summary>
    private bool TellLoss(FifoWriter fifo)
    {
        if (_lost == 0) return true;
        var notice = Encoding.UTF8.GetBytes($"{(_midLine ? "\n" : "")}nomadstack: {_lost} bytes of the server's log are missing here, because they were not read in time\n");
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Target} is not a FIFO. Until it is one, the allocation does not show the server's log")]
    private partial void LogNoFifo(string target);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log {Source} cannot be copied to {Target}. The agent keeps trying")]
    private partial void LogFailed(string source, string target, Exception e);
}
