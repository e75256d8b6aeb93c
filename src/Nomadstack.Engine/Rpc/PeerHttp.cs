// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Http;

namespace Nomadstack.Engine.Rpc;

/// <summary>HTTP between agents. What it asks for is written into the log of nobody, and no proxy of the environment stands between two servers.</summary>
internal sealed class PeerHttp : IDisposable
{
    private static readonly TimeSpan s_connectDeadline = TimeSpan.FromSeconds(1);

    private readonly HttpMessageInvoker _invoker = new(new ResetConnections(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectTimeout = s_connectDeadline,
        ActivityHeadersPropagator = null,
    }));

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        // Whatever name the other agent is reached by, this one it takes: a browser can be made to believe any name but this.
        request.Headers.Host = "localhost";
        return _invoker.SendAsync(request, cancel);
    }

    public void Dispose() => _invoker.Dispose();
}
