// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Ground.Http;

namespace Nomadstack.Products;

/// <summary>One HTTP reply as text.</summary>
internal sealed record HttpReply(int Status, string Body, long Index);

/// <summary>
/// Calls one agent's HTTP API. Every call has a deadline and ends as an <see cref="Answer{T}"/>; nothing but the caller's cancellation is thrown.
/// </summary>
/// <param name="baseAddress">Such as <c>http://10.0.0.1:4646</c>.</param>
/// <param name="indexHeader">The product's index header.</param>
/// <param name="transport">Null for the one shared connection pool of this process.</param>
internal sealed class ProductHttp(string baseAddress, string indexHeader, TimeProvider time, HttpMessageInvoker? transport = null)
{
    /// <summary>A machine that is up accepts in a millisecond; waiting longer only delays noticing one that is not.</summary>
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(1);

    // No proxy: a proxy from the environment must never see, nor be needed for, traffic between the parts of one cluster.
    private static readonly HttpMessageInvoker s_shared = new(new ResetConnections(new SocketsHttpHandler
    {
        ConnectTimeout = s_connectTimeout,
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
    }));

    // What the products' agents say, as text with status 500, when they cannot reach a leader. There is no code for it in any version.
    private static readonly string[] s_noLeader =
    [
        "No cluster leader", "No path to region", "Not ready to serve consistent reads", "Raft leader not found",
        "No known Consul servers", "no servers", "no known servers", "leadership lost", "node is not the leader",
    ];

    private readonly HttpMessageInvoker _transport = transport ?? s_shared;
    private readonly Uri _base = new(baseAddress);

    public string BaseAddress { get; } = baseAddress;

    /// <summary>Sends and reads the whole reply. A status below 300 is Ok, and so is one listed in <paramref name="alsoOk"/>.</summary>
    public async Task<Answer<HttpReply>> SendAsync(HttpMethod method, string path, string? body, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        using var request = new HttpRequestMessage(method, new Uri(_base, path));
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        try
        {
            using var response = await _transport.SendAsync(request, both.Token);
            var text = await response.Content.ReadAsStringAsync(both.Token);
            var status = (int)response.StatusCode;
            if (status < 300 || alsoOk.Contains(status)) return new Answer<HttpReply>.Ok(new(status, text, IndexOf(response)), IndexOf(response));
            text = text.Trim();
            return status >= 500 && s_noLeader.Any(n => text.Contains(n, StringComparison.OrdinalIgnoreCase))
                ? new Answer<HttpReply>.NoLeader(text)
                : new Answer<HttpReply>.Refused(status, text);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Answer<HttpReply>.Unreachable(limit.IsCancellationRequested
                ? $"{BaseAddress} did not answer within {deadline.TotalSeconds:0.#} s"
                : $"{BaseAddress} did not accept a connection within {s_connectTimeout.TotalSeconds:0.#} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // The caller's cancellation can surface as a broken connection.
            cancel.ThrowIfCancellationRequested();
            return new Answer<HttpReply>.Unreachable($"{BaseAddress} cannot be reached: {(e.InnerException ?? e).Message}");
        }
    }

    /// <summary>As <see cref="SendAsync"/>, with the reply read as JSON. A reply of another shape counts as refused.</summary>
    public async Task<Answer<T>> JsonAsync<T>(HttpMethod method, string path, string? body, JsonTypeInfo<T> json, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk)
    {
        var answer = await SendAsync(method, path, body, deadline, cancel, alsoOk);
        if (!answer.Try(out var reply)) return answer.Map<T>(_ => throw new InvalidOperationException());
        try
        {
            return JsonSerializer.Deserialize(reply.Body, json) is { } value
                ? new Answer<T>.Ok(value, reply.Index)
                : new Answer<T>.Refused(reply.Status, $"{path} answered null");
        }
        catch (JsonException e)
        {
            return new Answer<T>.Refused(reply.Status, $"{path} answered something else than expected: {e.Message}");
        }
    }

    public Task<Answer<T>> GetAsync<T>(string path, JsonTypeInfo<T> json, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk) =>
        JsonAsync(HttpMethod.Get, path, null, json, deadline, cancel, alsoOk);

    /// <summary>For calls whose reply says nothing.</summary>
    public async Task<Answer<Done>> DoAsync(HttpMethod method, string path, string? body, TimeSpan deadline, CancellationToken cancel) =>
        (await SendAsync(method, path, body, deadline, cancel)).Map(_ => default(Done));

    private long IndexOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(indexHeader, out var values) && long.TryParse(values.FirstOrDefault(), out var index) ? index : 0;
}

/// <summary>The value of a call that has none.</summary>
internal readonly record struct Done;
