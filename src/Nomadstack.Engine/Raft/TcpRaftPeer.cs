// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Raft;

/// <summary>The sending end of a connection to one server: connects when there is something to say, and again, with growing pauses, when it breaks.</summary>
internal sealed class TcpRaftPeer
{
    /// <summary>More messages than this waiting means that the peer is too slow or gone: the oldest are of no use any more.</summary>
    private const int QueueLength = 256;
    private const int WriteBytes = 256 * 1024;

    private static readonly TimeSpan s_connectDeadline = TimeSpan.FromSeconds(1), s_writeDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Pauses between attempts. All are short beside an election timeout: a server that has just returned may be the one whose vote is needed.</summary>
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(25), s_longestPause = TimeSpan.FromMilliseconds(200);

    private readonly Channel<RaftMessage> _queue = Channel.CreateBounded<RaftMessage>(new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private readonly string _host;
    private readonly int _port;
    private readonly byte[] _greeting;
    private readonly IRaftSecurity? _security;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    public TcpRaftPeer(string address, byte[] greeting, IRaftSecurity? security, TimeProvider time, ILogger log, CancellationToken stop)
    {
        var colon = address.LastIndexOf(':');
        (_host, _port) = (address[..colon].Trim('[', ']'), int.Parse(address.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture));
        (_greeting, _security, _time, _log) = (greeting, security, time, log);
        Completion = Task.Run(() => RunAsync(stop), CancellationToken.None);
    }

    public Task Completion { get; }

    public void Send(RaftMessage message) => _queue.Writer.TryWrite(message);

    private async Task RunAsync(CancellationToken stop)
    {
        var pause = TimeSpan.Zero;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await _queue.Reader.WaitToReadAsync(stop);
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await WithinAsync(s_connectDeadline, cancel => socket.ConnectAsync(_host, _port, cancel), stop);
                // Taken first: a change during the handshake ends what comes of it.
                using var current = CancellationTokenSource.CreateLinkedTokenSource(stop, _security?.Changed ?? CancellationToken.None);
                Stream stream = new NetworkStream(socket);
                if (_security is not null) await WithinAsync(s_writeDeadline, async cancel => stream = await _security.SecureAsync(stream, cancel), stop);
                await using var spoken = stream;
                await WithinAsync(s_writeDeadline, cancel => stream.WriteAsync(_greeting, cancel), stop);
                if (pause > TimeSpan.Zero) _log.LogInformation("Connected to {Host}:{Port} again", _host, _port);
                pause = TimeSpan.Zero;
                await SendUntilClosedAsync(stream, current.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (OperationCanceledException)
            {
                // The peer closed the connection: it has stopped, or has been started again; or our own certificate is another now. The next message opens another.
            }
            catch (Exception e) when (e is SocketException or IOException or TimeoutException or AuthenticationException)
            {
                if (pause == TimeSpan.Zero) _log.LogInformation("No connection to {Host}:{Port}: {Reason}", _host, _port, e.Message);
                pause = pause == TimeSpan.Zero ? s_firstPause : pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
                await Task.Delay(pause, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>
    /// Nothing ever comes back on this connection but its end, and that must be noticed at once: what is written to a peer that is gone is lost without a word,
    /// and a lost question for a vote costs an election timeout.
    /// </summary>
    private async Task SendUntilClosedAsync(Stream stream, CancellationToken stop)
    {
        using var closed = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var watching = WatchAsync(stream, closed);
        try
        {
            await SendAllAsync(stream, closed.Token);
        }
        finally
        {
            await closed.CancelAsync();
            await watching;
        }
    }

    private static async Task WatchAsync(Stream stream, CancellationTokenSource closed)
    {
        try
        {
            await stream.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false, closed.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Reset by the peer, or we are done with it: the end either way.
        }

        await closed.CancelAsync();
    }

    private async Task SendAllAsync(Stream stream, CancellationToken closed)
    {
        // One deadline for all writes, wound up for each: heartbeats are many, and should cost little.
        using var late = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, closed);
        var batch = new List<byte>();
        while (await _queue.Reader.WaitToReadAsync(closed))
        {
            batch.Clear();
            while (batch.Count < WriteBytes && _queue.Reader.TryRead(out var message)) batch.AddRange(TcpRaftTransport.Framed(RaftCodec.Encode(message)));
            var bytes = batch.ToArray();
            late.CancelAfter(s_writeDeadline);
            try
            {
                await stream.WriteAsync(bytes, both.Token);
            }
            catch (OperationCanceledException) when (!closed.IsCancellationRequested)
            {
                throw Late(s_writeDeadline);
            }

            late.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    private async Task WithinAsync(TimeSpan deadline, Func<CancellationToken, ValueTask> act, CancellationToken stop)
    {
        using var late = new CancellationTokenSource(deadline, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stop);
        try
        {
            await act(both.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw Late(deadline);
        }
    }

    private static TimeoutException Late(TimeSpan deadline) => new($"No progress in {deadline.TotalSeconds} s.");
}
