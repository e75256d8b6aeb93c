// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Ground.Http;

/// <summary>
/// WebSockets over the connections of an endpoint. .NET's own client drops the text of an answer that is no WebSocket, and that text is the reason.
/// </summary>
internal static class WebSockets
{
    /// <summary>RFC 6455, section 1.3.</summary>
    private const string Magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>How often a silent peer is asked whether it lives, and how long its answer may take.</summary>
    private static readonly TimeSpan s_ping = TimeSpan.FromSeconds(10);

    /// <returns>The socket; or the status and the text with which the peer refused it.</returns>
    /// <exception cref="HttpRequestException">No connection, as in <see cref="EndpointConnections.SendAsync"/>.</exception>
    public static async Task<(WebSocket? Socket, (HttpStatusCode Status, string Text)? Refusal)> ConnectAsync(this Endpoint endpoint, string pathAndQuery, CancellationToken cancel)
    {
        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(endpoint.Address, pathAndQuery))
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.Add(new("websocket"));
        request.Headers.Add("Sec-WebSocket-Version", "13");
        request.Headers.Add("Sec-WebSocket-Key", key);
        var response = await endpoint.SendAsync(request, cancel);
        if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
        {
            using (response) return (null, (response.StatusCode, (await response.Content.ReadAsStringAsync(cancel)).Trim()));
        }

        if (!response.Headers.TryGetValues("Sec-WebSocket-Accept", out var accept) || accept.Single() != Accept(key))
        {
            response.Dispose();
            throw new WebSocketException(WebSocketError.NotAWebSocket);
        }

        // The stream is the connection itself: who has the socket has both.
        var connection = await response.Content.ReadAsStreamAsync(cancel);
        return (WebSocket.CreateFromStream(connection, new WebSocketCreationOptions { KeepAliveInterval = s_ping, KeepAliveTimeout = s_ping }), null);
    }

#pragma warning disable CA5350 // Not a secret: the RFC's proof that a server meant to speak WebSocket.
    private static string Accept(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Magic)));
#pragma warning restore CA5350
}
