// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>
/// The servers as a client reaches them, on their RPC ports. Asks the one that answered last, and the next when it does not; each answer to a sign of life
/// tells where the servers are now.
/// </summary>
internal sealed class RemoteServers(IEnumerable<string> addresses, AgentTls tls, TimeProvider time) : IServers, IDisposable
{
    /// <summary>A server holds a call for 5 s while there is no leader.</summary>
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(8);

    /// <summary>A server holds the question for allocations for 5 minutes and a little more.</summary>
    private static readonly TimeSpan s_longDeadline = BlockingQuery.Longest * 1.25;

    private static readonly TimeSpan s_pingDeadline = TimeSpan.FromSeconds(2);

    private volatile IReadOnlyList<string> _addresses = [.. addresses];

    public PeerHttp Http { get; } = new(tls);

    /// <summary>Where the servers are, as <c>host:port</c>; the one that is asked first comes first.</summary>
    public IReadOnlyList<string> Addresses => _addresses;

    /// <summary>The last answer to a sign of life: when, and in how long the next one is due.</summary>
    public (DateTimeOffset At, TimeSpan Ttl)? LastHeartbeat { get; private set; }

    /// <summary>Takes those of the addresses that answer for the servers, as long as there is one.</summary>
    /// <returns>What is wrong with each when there is none; null when the list is taken.</returns>
    public async Task<IReadOnlyList<string>?> ReplaceAsync(IReadOnlyList<string> addresses, CancellationToken cancel)
    {
        var complaints = await Task.WhenAll(addresses.Select(address => PingAsync(address, cancel)));
        var answering = addresses.Where((_, i) => complaints[i] is null).ToList();
        if (answering.Count == 0) return [.. complaints.OfType<string>()];
        _addresses = answering;
        return null;
    }

    public void Dispose() => Http.Dispose();

    public async Task<TimeSpan> RegisterAsync(Node node, CancellationToken cancel)
    {
        var (status, body) = await AskAsync(HttpMethod.Post, RpcNames.Register, node.SecretID, JsonSerializer.SerializeToUtf8Bytes(node, StateJson.Default.Node), s_deadline, cancel);
        return TtlOf(Read(status, body, RpcJson.Default.HeartbeatAnswer));
    }

    public async Task<TimeSpan?> HeartbeatAsync(string nodeId, string secretId, CancellationToken cancel)
    {
        var (status, body) = await AskAsync(HttpMethod.Post, $"/rpc/node/{nodeId}/heartbeat", secretId, null, s_deadline, cancel);
        return status == 404 ? null : TtlOf(Read(status, body, RpcJson.Default.HeartbeatAnswer));
    }

    public async Task<NodeAllocations> NodeAllocationsAsync(string nodeId, string secretId, long after, CancellationToken cancel)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"/rpc/node/{nodeId}/allocations?after={after}");
        var (status, body) = await AskAsync(HttpMethod.Get, path, secretId, null, s_longDeadline, cancel);
        return Read(status, body, RpcJson.Default.NodeAllocations);
    }

    public async Task<AllocationsFound> AllocationsAsync(IReadOnlyList<string> ids, string secretId, long after, CancellationToken cancel)
    {
        var asked = JsonSerializer.SerializeToUtf8Bytes(new AllocationsAsked(ids), RpcJson.Default.AllocationsAsked);
        var (status, body) = await AskAsync(HttpMethod.Post, RpcNames.Allocations, secretId, asked, s_deadline, cancel);
        return Read(status, body, RpcJson.Default.AllocationsFound);
    }

    public async Task UpdateAsync(string nodeId, string secretId, IReadOnlyList<ClientUpdate> updates, CancellationToken cancel)
    {
        var (status, body) = await AskAsync(HttpMethod.Post, $"/rpc/node/{nodeId}/update", secretId, JsonSerializer.SerializeToUtf8Bytes(updates, StateJson.Default.IReadOnlyListClientUpdate), s_deadline, cancel);
        Good(status, body);
    }

    /// <summary>What a caller's secret stands for.</summary>
    /// <exception cref="NoServerException" />
    public Task<(int Status, byte[] Body)> ResolveTokenAsync(string callersSecret, string secretId, CancellationToken cancel) =>
        AskAsync(HttpMethod.Post, RpcNames.ResolveToken, secretId, JsonSerializer.SerializeToUtf8Bytes(new TokenAsked(callersSecret), RpcJson.Default.TokenAsked), s_deadline, cancel);

    private TimeSpan TtlOf(HeartbeatAnswer answer)
    {
        if (answer.Servers.Count > 0)
        {
            var first = _addresses is [var answered, ..] ? answered : null;
            _addresses = [.. answer.Servers.OrderBy(s => s != first)];
        }

        var ttl = TimeSpan.FromTicks(answer.TTL);
        LastHeartbeat = (time.GetUtcNow(), ttl);
        return ttl;
    }

    private async Task<string?> PingAsync(string address, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(s_pingDeadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{address}{RpcNames.Ping}");
            using var response = await Http.SendAsync(request, both.Token);
            return response.IsSuccessStatusCode ? null : $"{address} is not a server: it answered {(int)response.StatusCode}";
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return $"{address} did not answer within {s_pingDeadline.TotalSeconds} s";
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UriFormatException)
        {
            return $"{address}: {e.Message}";
        }
    }

    private static T Read<T>(int status, byte[] body, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(Good(status, body), type)!;

    private static byte[] Good(int status, byte[] body) => status == 200 ? body : throw new NoServerException($"a server answered {status}: {System.Text.Encoding.UTF8.GetString(body)}");

    private async Task<(int Status, byte[] Body)> AskAsync(HttpMethod method, string path, string secret, byte[]? content, TimeSpan deadline, CancellationToken cancel)
    {
        Exception? last = null;
        foreach (var address in _addresses)
        {
            using var late = new CancellationTokenSource(deadline, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
            try
            {
                using var request = new HttpRequestMessage(method, $"http://{address}{path}");
                request.Headers.Add(RpcNames.SecretHeader, secret);
                if (content is not null) request.Content = new ByteArrayContent(content);
                using var response = await Http.SendAsync(request, both.Token);
                var answer = (Status: (int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(both.Token));
                // It has no leader, or not enough of one; another may.
                if (answer.Status >= 500)
                {
                    last = new NoServerException($"{address} answered {answer.Status}: {System.Text.Encoding.UTF8.GetString(answer.Item2)}");
                    continue;
                }

                if (_addresses is [var first, ..] && first != address) _addresses = [address, .. _addresses.Where(a => a != address)];
                return answer;
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                last = e;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                last = e;
            }
        }

        throw new NoServerException(last is null ? "no server is known" : $"no server answered: {last.Message}", last);
    }
}
