// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using Nomadstack.Ground.Http;

namespace Nomadstack.Engine.Rpc;

/// <summary>HTTP between agents. What it asks for is written into the log of nobody, and no proxy of the environment stands between two servers.</summary>
internal sealed class PeerHttp(AgentTls tls) : IDisposable
{
    /// <summary>On a request to a client's HTTP port: whether that port speaks TLS. All other requests go to a server's.</summary>
    public static readonly HttpRequestOptionsKey<bool> NodeSpeaksTls = new("nomadstack.node-tls");

    private static readonly TimeSpan s_connectDeadline = TimeSpan.FromSeconds(1);

    /// <summary>With the handshake, for which Nomad gives as long.</summary>
    private static readonly TimeSpan s_handshakeDeadline = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private (HttpMessageInvoker Invoker, CancellationToken Over)? _pool;

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        // Whatever name the other agent is reached by, this one it takes: a browser can be made to believe any name but this.
        request.Headers.Host = "localhost";
        return Pool().SendAsync(request, cancel);
    }

    public void Dispose() => _pool?.Invoker.Dispose();

    /// <summary>Connections of an earlier certificate end with the call that they carry.</summary>
    private HttpMessageInvoker Pool()
    {
        lock (_gate)
        {
            if (_pool is { Over.IsCancellationRequested: false } pool) return pool.Invoker;
            _pool?.Invoker.Dispose();
            var over = tls.Changed;
            _pool = (new HttpMessageInvoker(new ResetConnections(new SocketsHttpHandler
            {
                UseProxy = false,
                UseCookies = false,
                AllowAutoRedirect = false,
                ConnectTimeout = s_handshakeDeadline,
                ConnectCallback = (context, cancel) => ConnectAsync(context, cancel),
                ActivityHeadersPropagator = null,
            })), over);
            return _pool.Value.Invoker;
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using (var soon = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                soon.CancelAfter(s_connectDeadline);
                await socket.ConnectAsync(context.DnsEndPoint, soon.Token);
            }

            var stream = new NetworkStream(socket, ownsSocket: true);
            if (!context.InitialRequestMessage.Options.TryGetValue(NodeSpeaksTls, out var speaksTls)) return await tls.SecureAsync(stream, cancel);
            return speaksTls ? await tls.SecureToNodeAsync(stream, cancel) : stream;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            socket.Dispose();
            throw new TimeoutException($"no connection to {context.DnsEndPoint.Host}:{context.DnsEndPoint.Port} in {s_connectDeadline.TotalSeconds} s");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
