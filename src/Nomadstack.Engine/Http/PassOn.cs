// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>Hands a call as it is to another agent, and the answer back as it comes.</summary>
internal static class PassOn
{
    /// <param name="last">The other agent must answer itself.</param>
    /// <param name="nodeTls">Whether the HTTP port of the client that is asked speaks TLS; null when a server is asked.</param>
    /// <returns>Null when it was answered; otherwise nothing was done, and why.</returns>
    /// <exception cref="ServerException">Whether it was done is not known.</exception>
    public static async Task<string?> TryAsync(ApiCall call, PeerHttp http, string address, bool last, bool? nodeTls = null)
    {
        var (from, to) = (call.Http.Request, call.Http.Response);
        using var request = new HttpRequestMessage(new HttpMethod(from.Method), $"http://{address}{call.Http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}");
        if (nodeTls is { } speaksTls) request.Options.Set(PeerHttp.NodeSpeaksTls, speaksTls);
        if (last) request.Headers.Add(RpcNames.ForwardedHeader, "1");
        foreach (var header in from.Headers.Where(h => h.Key.StartsWith("X-Nomad-", StringComparison.OrdinalIgnoreCase))) request.Headers.TryAddWithoutValidation(header.Key, header.Value.ToString());
        if (call.Token is { Length: > 0 } token && !request.Headers.Contains("X-Nomad-Token")) request.Headers.TryAddWithoutValidation("X-Nomad-Token", token);
        if (!call.RawBody.IsEmpty) request.Content = new ReadOnlyMemoryContent(call.RawBody) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, call.Cancel);
        }
        catch (OperationCanceledException e) when (!call.Cancel.IsCancellationRequested)
        {
            return $"failed to get conn: {e.Message}";
        }
        catch (HttpRequestException e) when (from.Method == HttpMethods.Get || e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.NameResolutionError)
        {
            return $"failed to get conn: {e.Message}";
        }
        catch (HttpRequestException e)
        {
            throw ServerException.Failed($"rpc error: {address} was lost before it answered: {e.Message}");
        }

        using (response)
        {
            if (last && response.Headers.Contains(RpcNames.NotLeaderHeader)) return "it does not lead";
            to.StatusCode = (int)response.StatusCode;
            foreach (var header in response.Headers.Where(h => h.Key.StartsWith("X-Nomad-", StringComparison.OrdinalIgnoreCase) || h.Key == "Digest")) to.Headers[header.Key] = string.Join(",", header.Value);
            if (response.Content.Headers.ContentType is { } type) to.ContentType = type.ToString();
            to.ContentLength = response.Content.Headers.ContentLength;
            await response.Content.CopyToAsync(to.Body, call.Cancel);
            return null;
        }
    }
}
