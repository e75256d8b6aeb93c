// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Ground.Http;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp;

/// <summary>One HTTP reply as text.</summary>
internal sealed record HttpReply(int Status, string Body, long Index);

/// <summary>
/// Calls one agent's HTTP API. Every call has a deadline and ends as an <see cref="Answer{T}"/>. Only the caller's cancellation is thrown.
/// </summary>
/// <param name="indexHeader">The product's index header.</param>
/// <param name="transport">A test's replacement for the network.</param>
internal sealed class ProductHttp(Endpoint endpoint, string indexHeader, TimeProvider time, HttpMessageInvoker? transport = null)
{
    // The products' agents send these texts with status 500 if they cannot reach a leader. No version has a code for this.
    private static readonly string[] s_noLeader =
    [
        "No cluster leader", "No path to region", "Not ready to serve consistent reads", "Raft leader not found",
        "No known Consul servers", "no servers", "no known servers", "leadership lost", "node is not the leader",
    ];

    private const int CopyBytes = 64 * 1024;

    public string BaseAddress => endpoint.Text;

    /// <summary>Sends and reads the whole reply. A status below 300 is Ok, and so is one listed in <paramref name="alsoOk"/>.</summary>
    public async Task<Answer<HttpReply>> SendAsync(HttpMethod method, string path, string? body, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk)
    {
        using var request = new HttpRequestMessage(method, new Uri(endpoint.Address, path));
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        return await AskAsync(request, async (response, ended) => new HttpReply((int)response.StatusCode, await response.Content.ReadAsStringAsync(ended), IndexOf(response)), deadline, cancel, alsoOk);
    }

    /// <summary>Copies the reply's body to a stream, as it comes. Returns its length.</summary>
    /// <remarks>Status 200 is sent before the body: what fails later is a body that does not match the header <c>Digest</c> (Nomad), or breaks off.</remarks>
    public async Task<Answer<long>> DownloadAsync(string path, Stream to, TimeSpan deadline, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(endpoint.Address, path));
        return await AskAsync(request, async (response, ended) =>
        {
            var digest = response.Headers.TryGetValues("Digest", out var values) ? values.FirstOrDefault() : null;
            await using var from = await response.Content.ReadAsStreamAsync(ended);
            using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[CopyBytes];
            var copied = 0L;
            while (await from.ReadAsync(buffer, ended) is > 0 and var read)
            {
                sum.AppendData(buffer, 0, read);
                await to.WriteAsync(buffer.AsMemory(0, read), ended);
                copied += read;
            }

            const string Prefix = "sha-256=";
            if (digest?.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) == true && digest[Prefix.Length..] != Convert.ToBase64String(sum.GetHashAndReset()))
                throw new IOException($"its answer of {copied} bytes does not match the sum that it sent before");
            return copied;
        }, deadline, cancel);
    }

    /// <summary>How many elements a list has, read one by one.</summary>
    public async Task<Answer<long>> CountAsync(string path, Func<JsonElement, bool>? counts, TimeSpan deadline, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(endpoint.Address, path));
        return await AskAsync(request, async (response, ended) =>
        {
            await using var from = await response.Content.ReadAsStreamAsync(ended);
            var count = 0L;
            try
            {
                await foreach (var element in JsonSerializer.DeserializeAsyncEnumerable(from, ProductsJson.Default.JsonElement, ended)) count += counts?.Invoke(element) == false ? 0 : 1;
            }
            catch (JsonException e)
            {
                throw new IOException($"{path} sent an unexpected answer: {e.Message}", e);
            }

            return count;
        }, deadline, cancel);
    }

    /// <summary>Sends a stream as the request's body, as it is read.</summary>
    public async Task<Answer<Done>> UploadAsync(HttpMethod method, string path, Stream from, TimeSpan deadline, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, new Uri(endpoint.Address, path)) { Content = new StreamContent(from, CopyBytes) };
        return await AskAsync(request, (_, _) => Task.FromResult(default(Done)), deadline, cancel);
    }

    private async Task<Answer<T>> AskAsync<T>(HttpRequestMessage request, Func<HttpResponseMessage, CancellationToken, Task<T>> read, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            using var response = await SendAsync(request, both.Token);
            var status = (int)response.StatusCode;
            if (status < 300 || alsoOk.Contains(status)) return new Answer<T>.Ok(await read(response, both.Token), IndexOf(response));
            var text = await response.Content.ReadAsStringAsync(both.Token);
            text = text.Trim();
            return status >= 500 && s_noLeader.Any(n => text.Contains(n, StringComparison.OrdinalIgnoreCase))
                ? new Answer<T>.NoLeader(text)
                : new Answer<T>.Refused(status, text);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Answer<T>.Unreachable(limit.IsCancellationRequested
                ? $"{endpoint.InWords()} did not answer within {deadline.TotalSeconds:0.#} s"
                : $"{endpoint.InWords()} did not accept a connection within {EndpointConnections.ConnectTimeout.TotalSeconds:0.#} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // The caller's cancellation can appear as a broken connection.
            cancel.ThrowIfCancellationRequested();
            return new Answer<T>.Unreachable($"{endpoint.InWords()} cannot be reached: {(e.InnerException ?? e).Message}");
        }
    }

    /// <summary>The same, with the reply read as JSON. A reply of another form counts as refused.</summary>
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
            return new Answer<T>.Refused(reply.Status, $"{path} sent an unexpected answer: {e.Message}");
        }
    }

    public Task<Answer<T>> GetAsync<T>(string path, JsonTypeInfo<T> json, TimeSpan deadline, CancellationToken cancel, params int[] alsoOk) =>
        JsonAsync(HttpMethod.Get, path, null, json, deadline, cancel, alsoOk);

    /// <summary>For calls whose reply has no content.</summary>
    public async Task<Answer<Done>> DoAsync(HttpMethod method, string path, string? body, TimeSpan deadline, CancellationToken cancel) =>
        (await SendAsync(method, path, body, deadline, cancel)).Map(_ => default(Done));

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel) =>
        transport is null ? endpoint.SendAsync(request, cancel) : transport.SendAsync(request, cancel);

    private long IndexOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(indexHeader, out var values) && long.TryParse(values.FirstOrDefault(), out var index) ? index : 0;
}
