// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Takes connections for a transport, as the agent's RPC port does.</summary>
internal sealed class Listener : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _served = [];
    private Task _accepting = Task.CompletedTask;

    public Listener(IPEndPoint endpoint)
    {
        _listener = new TcpListener(endpoint);
        _listener.Start();
    }

    public string Address => _listener.LocalEndpoint.ToString()!;

    public void Serve(TcpRaftTransport transport) => _accepting = AcceptAsync(transport);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        await Task.WhenAll(_served);
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task AcceptAsync(TcpRaftTransport transport)
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                TcpRaftTransport.Prepare(socket);
                _served.Add(ServeAsync(transport, socket));
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpRaftTransport transport, Socket socket)
    {
        await using var stream = new BufferedStream(new NetworkStream(socket, ownsSocket: true));
        await transport.ServeAsync(stream, socket.RemoteEndPoint?.ToString(), _stop.Token);
    }
}
