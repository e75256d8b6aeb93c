// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>One agent's HTTP API (Nomad's or Consul's), asked from outside the node. Every call ends within its deadline.</summary>
internal sealed partial class NomadApi(string address, int port)
{
    public const int ClientPort = 4646, ServerPort = 4649, ConsulClientPort = 8500, ConsulServerPort = 8510;

    // A connection to a node whose power was cut never answers: none is kept for long, none is waited for long.
    private static readonly HttpClient s_http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(500), PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static readonly TimeSpan s_usual = TimeSpan.FromSeconds(7); // Nomad itself holds a request for 5 s when there is no leader

    public string Url => $"http://{address}:{port}";

    public Task<JsonElement> GetAsync(string path, TimeSpan? deadline = null) => SendAsync(HttpMethod.Get, path, null, deadline);

    public Task<JsonElement> PutAsync(string path, object? body = null, TimeSpan? deadline = null) => SendAsync(HttpMethod.Put, path, body, deadline);

    /// <summary>A closed cluster is met as one: what it takes to be let in is learned from its agents then.</summary>
    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body, TimeSpan? deadline)
    {
        var known = ClusterKeys.Of(address);
        if (known is { IsOld: true }) known = await ClusterKeys.LearnAsync(address) ?? known;
        try
        {
            return await SendAsync(known, method, path, body, deadline);
        }
        catch (HttpRequestException refused) when (refused.StatusCode is HttpStatusCode.Forbidden || (known is null && refused.StatusCode is null or HttpStatusCode.BadRequest))
        {
            // A server with TLS answers a plain call with 400 and closes: whether that can still be read is a matter of luck.
            if (await ClusterKeys.LearnAsync(address) is not { } keys) throw;
            return await SendAsync(keys, method, path, body, deadline);
        }
    }

    private async Task<JsonElement> SendAsync(ClusterKeys? keys, HttpMethod method, string path, object? body, TimeSpan? deadline)
    {
        using var cancel = new CancellationTokenSource(deadline ?? s_usual);
        using var request = new HttpRequestMessage(method, $"{(keys is null ? "http" : "https")}://{address}:{port}{path}");
        if (body is not null) request.Content = JsonContent.Create(body);
        keys?.Sign(request, port);
        using var response = await (keys?.Http(port) ?? s_http).SendAsync(request, cancel.Token);
        return await ReadAsync(response, $"{method} {path}", cancel.Token);
    }

    /// <summary>Null while nobody answers or none is known; never waits for an election.</summary>
    public async Task<string?> LeaderAsync() => (await NamedLeaderAsync()).Leader;

    /// <summary>As <see cref="LeaderAsync"/>, and why none is known.</summary>
    public async Task<(string? Leader, string Why)> NamedLeaderAsync()
    {
        try
        {
            var leader = (await GetAsync("/v1/status/leader?stale", TimeSpan.FromSeconds(1))).GetString();
            return string.IsNullOrEmpty(leader) ? (null, "it knows none") : (leader, "");
        }
        catch (Exception refused) when (refused is HttpRequestException or OperationCanceledException)
        {
            return (null, refused.InnerException is { } inner ? $"{refused.Message} {inner.Message}" : refused.Message);
        }
    }

    /// <summary>How long ago this client agent's last heartbeat was answered, or null when none was since its start.</summary>
    public async Task<TimeSpan?> LastHeartbeatAsync()
    {
        try
        {
            var client = (await GetAsync("/v1/agent/self", TimeSpan.FromSeconds(1))).GetProperty("stats").GetProperty("client");
            var age = Duration(client.GetProperty("last_heartbeat").GetString()!);
            return age < TimeSpan.FromDays(1) ? age : null; // "never" is shown as an age of centuries
        }
        catch (Exception refused) when (refused is HttpRequestException or OperationCanceledException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Reads durations as Go prints them: 1h2m3.5s, 250ms.</summary>
    internal static TimeSpan Duration(string text)
    {
        var seconds = GoDuration().Matches(text).Sum(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * match.Groups[2].Value switch
        {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            "ms" => 1e-3,
            "ns" => 1e-9,
            _ => 1e-6,
        });
        return TimeSpan.FromSeconds(Math.Min(seconds, 1e9));
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage response, string what, CancellationToken cancel)
    {
        var text = await response.Content.ReadAsStringAsync(cancel);
        if (!response.IsSuccessStatusCode && (int)response.StatusCode != 429)
            throw new HttpRequestException($"{what}: {(int)response.StatusCode} {text.Trim()}", null, response.StatusCode);
        return text.Length == 0 ? default : JsonDocument.Parse(text).RootElement;
    }

    [GeneratedRegex(@"([\d.]+)(h|ms|ns|m|s|µs|us)")]
    private static partial Regex GoDuration();
}
