// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;

namespace Nomadstack.Tests.Peers;

/// <summary>
/// A way to a peer that loses large packets without a word: whoever connects may send, and gets an answer only if the connection was made with small segments, which
/// is what would pass. The kernel tells the segment size that both ends agreed on.
/// </summary>
internal sealed class BlackHole : IAsyncDisposable
{
    /// <summary>What a tunnel leaves of an Ethernet frame.</summary>
    private const int Passes = 1400;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    public BlackHole(string address, int port)
    {
        _listener.Start();
        _accepting = AcceptAsync(address, port);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>False: the way carries everything, as after its MTU was corrected.</summary>
    public bool Swallows { get; set; } = true;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(string address, int port)
    {
        List<Task> carried = [];
        try
        {
            while (true) carried.Add(CarryAsync(await _listener.AcceptSocketAsync(_stop.Token), address, port));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(carried);
        }
    }

    private async Task CarryAsync(Socket from, string address, int port)
    {
        using var to = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using (from)
        {
            var segment = new byte[4];
            from.GetRawSocketOption(6, 2, segment);
            var loses = Swallows && BitConverter.ToInt32(segment) > Passes;
            try
            {
                await to.ConnectAsync(IPAddress.Parse(address), port, _stop.Token);
                await Task.WhenAny(PumpAsync(from, to, swallow: false), PumpAsync(to, from, swallow: loses));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // One end has gone.
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool swallow)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and var n)
            {
                if (!swallow) await to.SendAsync(buffer.AsMemory(0, n), _stop.Token);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One end has gone.
        }
    }
}
