// SPDX-License-Identifier: MPL-2.0
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Endpoint = Nomadstack.Ground.Http.Endpoint;

namespace Nomadstack.Relay;

/// <summary>
/// Passes one request on to the product and its answer back, as it comes: an answer may last for minutes (a blocking query) or have no end (logs, events), and a connection may
/// become a WebSocket. Whoever goes away first ends the other side as well.
/// </summary>
internal sealed class Forwarder(Upstream upstream)
{
    /// <summary>
    /// With this in a query, Nomad takes the token from a WebSocket's first message, where the browser has none, and refuses the one of the header (2.0) or
    /// forgets it (1.1). Without it, that message is one of those that keep the connection alive.
    /// </summary>
    private const string TokenInMessage = "ws_handshake";

    /// <exception cref="ProblemException">Nothing was answered yet, and nothing will be.</exception>
    public async Task ForwardAsync(HttpContext http, string target)
    {
        var socket = http.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
            && http.Request.Headers.Upgrade.ToString().Equals("websocket", StringComparison.OrdinalIgnoreCase);
        var (endpoint, response) = await SendAsync(http, socket ? WithoutTokenInMessage(target) : target, socket);
        using (response)
        {
            http.Response.StatusCode = (int)response.StatusCode;
            RelayedHeaders.Pass(response, http.Response, endpoint.Address);
            try
            {
                if (response.StatusCode == System.Net.HttpStatusCode.SwitchingProtocols) await ConnectAsync(http, response);
                else await AnswerAsync(http, response);
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                // Part of the answer is with the browser already: it must not take that for the whole.
                http.Abort();
            }
        }
    }

    private async Task<(Endpoint Endpoint, HttpResponseMessage Response)> SendAsync(HttpContext http, string target, bool socket)
    {
        var cancel = http.RequestAborted;
        var endpoint = await upstream.FindAsync(cancel);
        try
        {
            return (endpoint, await SendAsync(http, endpoint, target, socket));
        }
        catch (HttpRequestException e) when (NeverConnected(e))
        {
            upstream.Forget(endpoint);
            var now = await upstream.FindAsync(cancel);
            // Nothing of the request was sent yet.
            if (now.Text == endpoint.Text && now.Certificate?.Thumbprint == endpoint.Certificate?.Thumbprint) throw new ProblemException(Away(endpoint, e), e);
            try
            {
                return (now, await SendAsync(http, now, target, socket));
            }
            catch (HttpRequestException again) when (NeverConnected(again))
            {
                upstream.Forget(now);
                throw new ProblemException(Away(now, again), again);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            upstream.Forget(endpoint);
            throw new ProblemException(RelayProblems.BrokenOff(upstream.Product, endpoint.Text, Sentence(e)), e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpContext http, Endpoint endpoint, string target, bool socket)
    {
        // As the browser wrote it: what is escaped in a path (a job's name with a slash) stays escaped.
        var uri = new Uri(endpoint.Text + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method), uri)
        {
            Version = System.Net.HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true } && !socket) request.Content = new StreamContent(http.Request.Body);
        // .NET repeats a request without a body when a connection breaks. One that changes something must not be done twice.
        else if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method)) request.Content = new ByteArrayContent([]);
        RelayedHeaders.Pass(http.Request.Headers, request);
        if (socket)
        {
            request.Headers.Connection.Add("Upgrade");
            request.Headers.Upgrade.Add(new("websocket"));
        }

        var response = await endpoint.SendAsync(request, http.RequestAborted);
        // Tokens are made anew now and then, and a product that is closed meanwhile calls what is said without TLS a bad request: the next request asks for what is true then.
        if ((int)response.StatusCode is 400 or 401 or 403) upstream.Forget(endpoint);
        return response;
    }

    private static async Task AnswerAsync(HttpContext http, HttpResponseMessage response)
    {
        // The first line of a log may be an hour away; that there is one is told now.
        await http.Response.Body.FlushAsync(http.RequestAborted);
        await using var body = await response.Content.ReadAsStreamAsync(http.RequestAborted);
        await body.CopyToAsync(http.Response.Body, http.RequestAborted);
    }

    private static async Task ConnectAsync(HttpContext http, HttpResponseMessage response)
    {
        http.Response.Headers.Upgrade = "websocket";
        await using var browser = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        await using var product = await response.Content.ReadAsStreamAsync(http.RequestAborted);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        Task[] both = [product.CopyToAsync(browser, end.Token), browser.CopyToAsync(product, end.Token)];
        await Task.WhenAny(both);
        await end.CancelAsync();
        // A connection of .NET's client is read to its end whatever token it was given.
        await product.DisposeAsync();
        foreach (var way in both)
        {
            try
            {
                await way;
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // One of the two has gone, which ends both ways.
            }
        }
    }

    private static bool NeverConnected(HttpRequestException e) =>
        e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.NameResolutionError;

    private Problem Away(Endpoint endpoint, HttpRequestException e) => RelayProblems.Away(upstream.Product, endpoint.Text, Sentence(e));

    private static string Sentence(Exception e)
    {
        var cause = e is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError, InnerException: { } inner } ? inner : e;
        return cause.Message.TrimEnd('.') + ".";
    }

    private static string WithoutTokenInMessage(string target)
    {
        if (target.Split('?', 2) is not [var path, var query]) return target;
        var rest = string.Join('&', query.Split('&').Where(part => part.Split('=', 2)[0] != TokenInMessage));
        return rest.Length > 0 ? $"{path}?{rest}" : path;
    }
}
