// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>
/// Answers what only a leader may answer: here when this server leads, otherwise by asking the one that does, on its RPC port. While there is none, the call is
/// held for as long as Nomad holds it.
/// </summary>
internal sealed class LeaderCalls(NomadServer server)
{
    /// <summary>A server that is asked on behalf of another asks nobody in turn: two that take each other for the leader would go on for ever.</summary>
    public const string ForwardedHeader = "X-Nomadstack-Forwarded";

    /// <summary>With this in its answer a server has done nothing.</summary>
    public const string NotLeaderHeader = "X-Nomadstack-Not-Leader";

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    public async Task CallAsync(Route route, ApiCall call)
    {
        if (call.Http.Request.Headers.ContainsKey(ForwardedHeader))
        {
            if (server.Session is null) throw new NotLeaderException();
            await route.Answer(call);
            return;
        }

        using var late = new CancellationTokenSource(NomadServer.LeaderHold, server.Time);
        using var hold = CancellationTokenSource.CreateLinkedTokenSource(late.Token, call.Cancel);
        while (true)
        {
            try
            {
                if (await server.LeaderAsync(hold.Token) is not null)
                {
                    await route.Answer(call);
                    return;
                }

                if (server.LeaderAddress is { } address && await PassOnAsync(call, address)) return;
            }
            catch (NotLeaderException) when (!hold.IsCancellationRequested && !call.Http.Response.HasStarted)
            {
                // Leadership went elsewhere just now, and nothing was done: ask again.
            }

            await Task.Delay(s_pause, server.Time, hold.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (hold.IsCancellationRequested) throw new NotLeaderException();
        }
    }

    /// <returns>False when nothing was done: it could not be reached, or does not lead.</returns>
    private async Task<bool> PassOnAsync(ApiCall call, string address)
    {
        var (from, to) = (call.Http.Request, call.Http.Response);
        using var request = new HttpRequestMessage(new HttpMethod(from.Method), $"http://{address}{call.Http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}");
        request.Headers.Add(ForwardedHeader, "1");
        foreach (var header in from.Headers.Where(h => h.Key.StartsWith("X-Nomad-", StringComparison.OrdinalIgnoreCase))) request.Headers.TryAddWithoutValidation(header.Key, header.Value.ToString());
        if (!call.RawBody.IsEmpty) request.Content = new ReadOnlyMemoryContent(call.RawBody) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        HttpResponseMessage response;
        try
        {
            response = await server.Http.SendAsync(request, call.Cancel);
        }
        catch (HttpRequestException e) when (from.Method == HttpMethods.Get || e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            return false;
        }
        catch (HttpRequestException e)
        {
            throw ServerException.Failed($"rpc error: the leader at {address} was lost before it answered: {e.Message}");
        }

        using (response)
        {
            if (response.Headers.Contains(NotLeaderHeader)) return false;
            to.StatusCode = (int)response.StatusCode;
            foreach (var header in response.Headers.Where(h => h.Key.StartsWith("X-Nomad-", StringComparison.OrdinalIgnoreCase) || h.Key == "Digest")) to.Headers[header.Key] = string.Join(",", header.Value);
            if (response.Content.Headers.ContentType is { } type) to.ContentType = type.ToString();
            to.ContentLength = response.Content.Headers.ContentLength;
            await response.Content.CopyToAsync(to.Body, call.Cancel);
            return true;
        }
    }
}
