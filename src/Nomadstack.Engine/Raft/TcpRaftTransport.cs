// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// Messages over TCP: a connection in each direction between two servers, opened by who sends. A connection begins with a greeting that says who is
/// speaking and where it can be reached, so that a new server can answer a leader of whom its empty log knows nothing.
/// </summary>
/// <remarks>
/// What cannot be sent soon is dropped: raft sends again what matters. Reading waits without a deadline for a silent peer, and TCP's keepalive ends that wait when the peer is gone.
/// </remarks>
internal sealed class TcpRaftTransport : IRaftTransport
{
    /// <summary>No honest frame is larger: an append is half a megabyte, or one entry.</summary>
    private const int MaxFrameBytes = 64 * 1024 * 1024;
    private const int KeepAliveSeconds = 15;

    private static readonly TimeSpan s_greetingDeadline = TimeSpan.FromSeconds(5);

    private readonly string _id;
    private readonly string _address;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly IRaftSecurity? _security;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, string> _greeted = [];
    private readonly ConcurrentDictionary<string, TcpRaftPeer> _peers = [];
    private Action<RaftMessage> _received = _ => { };

    /// <summary>Listens nowhere: somebody else takes connections and gives them to <see cref="ServeAsync"/>.</summary>
    /// <param name="address">Where that is, as <c>host:port</c>.</param>
    /// <param name="security">Of connections to others; null for none.</param>
    public TcpRaftTransport(string id, string address, TimeProvider time, ILogger log, IRaftSecurity? security = null) =>
        (_id, _address, _time, _log, _security) = (id, address, time, log, security);

    public void Start(Action<RaftMessage> received) => _received = received;

    public void Send(RaftMessage message, string? address)
    {
        if ((address ?? _greeted.GetValueOrDefault(message.To)) is not { Length: > 0 } to || _stop.IsCancellationRequested) return;
        _peers.GetOrAdd(to, _ => new TcpRaftPeer(to, Greeting(), _security, _time, _log, _stop.Token)).Send(message);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_peers.Values.Select(p => p.Completion));
        _stop.Dispose();
    }

    private byte[] Greeting()
    {
        var writer = new WireWriter();
        writer.Text(_id);
        writer.Text(_address);
        return Framed(writer);
    }

    public static byte[] Framed(WireWriter writer)
    {
        var frame = new byte[sizeof(int) + writer.Written.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, writer.Written.Length);
        writer.Written.CopyTo(frame.AsSpan(sizeof(int)));
        return frame;
    }

    /// <summary>What a connection needs so that a silent peer which is gone gets noticed.</summary>
    public static void Prepare(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveSeconds);
    }

    /// <summary>Takes messages from a connection until it ends. Never throws for what a peer does.</summary>
    public async Task ServeAsync(Stream stream, string? from, CancellationToken cancel)
    {
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, cancel);
            WireReader greeting;
            using (var deadline = new CancellationTokenSource(s_greetingDeadline, _time))
            using (var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stop.Token))
                greeting = new(await FrameAsync(stream, both.Token));
            from = greeting.Text();
            _greeted[from] = greeting.Text();
            while (true) _received(RaftCodec.Decode(await FrameAsync(stream, stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or EndOfStreamException or ObjectDisposedException)
        {
            // We stop, it did not greet, or it closed the connection: it opens another one.
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
        {
            _log.LogInformation("The connection from {Peer} ended: {Reason}", from, e.Message);
        }
    }

    private static async Task<ReadOnlyMemory<byte>> FrameAsync(Stream stream, CancellationToken cancel)
    {
        var header = new byte[sizeof(int)];
        await stream.ReadExactlyAsync(header, cancel);
        var length = BinaryPrimitives.ReadInt32LittleEndian(header);
        if (length is < 0 or > MaxFrameBytes) throw new InvalidDataException($"A frame of {length} bytes was announced.");
        var frame = new byte[length];
        await stream.ReadExactlyAsync(frame, cancel);
        return frame;
    }
}
