// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;

namespace Nomadstack.Ground.Http;

/// <summary>
/// A connection that could not be had is an <see cref="HttpRequestException"/>, always. One that its peer resets in the moment it comes about is to .NET a bare
/// <see cref="SocketException"/>: it asks the socket for its other end outside of what it wraps.
/// </summary>
internal sealed class ResetConnections(HttpMessageHandler connections) : DelegatingHandler(connections)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (SocketException e)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, e.Message, e);
        }
    }
}
