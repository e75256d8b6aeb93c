// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Timeline;

namespace Nomadstack.Peers;

/// <summary>
/// Calls to other nodes over mutual TLS. Trusts only our CA, and talks to a node only if its certificate
/// names that node. Every call ends within its deadline with an answer or a <see cref="Problem"/>.
/// </summary>
/// <remarks>Requests are addressed to node ids; connecting looks up the address in the membership. So connections are pooled per node, and TLS knows which node to expect.</remarks>
internal sealed class PeerClient : IDisposable
{
    private static readonly TimeSpan s_quickLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(4);
    /// <summary>For calls in which the other node asks its products: a few requests, each as long as there may be no leader.</summary>
    private static readonly TimeSpan s_withProducts = TimeSpan.FromSeconds(20);

    /// <summary>A download of any length goes on while something comes.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_idleConnection = TimeSpan.FromSeconds(20);

    private readonly Pki _pki;
    private readonly Membership _membership;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly ConcurrentDictionary<string, IPEndPoint> _found = new();

    public PeerClient(Pki pki, Membership membership, TimeProvider time)
    {
        (_pki, _membership, _time) = (pki, membership, time);
        _http = new HttpClient(new ResetConnections(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout = s_deadline,
            PooledConnectionIdleTimeout = s_idleConnection,
            // A peer that lost power leaves an open connection. Only its silence shows that it is dead.
            KeepAlivePingDelay = TimeSpan.FromSeconds(1),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(2),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            ConnectCallback = ConnectAsync,
            SslOptions = new SslClientAuthenticationOptions
            {
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                ClientCertificateContext = SslStreamCertificateContext.Create(pki.Node, [pki.Ca], offline: true),
                RemoteCertificateValidationCallback = Trusted,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            },
        }))
        {
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    /// <exception cref="ProblemException"><c>peers/unreachable</c>, <c>peers/bad-answer</c>, or the peer's own refusal.</exception>
    public Task<PeerAnswer> AskAsync(string nodeId, CancellationToken cancel) =>
        PeerCalls.SendAsync(_http, new HttpRequestMessage(HttpMethod.Get, At(nodeId, Port(nodeId), "/v1/peer")), PeersJson.Default.PeerAnswer, s_deadline, _time, cancel);

    /// <inheritdoc cref="AskAsync"/>
    public Task<SyncAnswer> SyncAsync(string nodeId, SyncRequest request, CancellationToken cancel) =>
        PeerCalls.SendAsync(_http, PeerCalls.Post(At(nodeId, Port(nodeId), "/v1/sync"), request, PeersJson.Default.SyncRequest), PeersJson.Default.SyncAnswer, s_deadline, _time, cancel);

    /// <inheritdoc cref="AskAsync"/>
    public Task<SecretsAnswer> SecretsAsync(string nodeId, SecretsRequest request, CancellationToken cancel) =>
        PeerCalls.SendAsync(_http, PeerCalls.Post(At(nodeId, Port(nodeId), "/v1/secrets"), request, SecretsJson.Default.SecretsRequest), SecretsJson.Default.SecretsAnswer, s_deadline, _time, cancel);

    /// <inheritdoc cref="AskAsync"/>
    public Task<TimelinePart> TimelineAsync(string nodeId, TimelineQuery query, CancellationToken cancel) =>
        PeerCalls.SendAsync(_http, PeerCalls.Post(At(nodeId, Port(nodeId), "/v1/timeline"), query, TimelineJson.Default.TimelineQuery), TimelineJson.Default.TimelinePart, s_deadline, _time, cancel);

    /// <inheritdoc cref="AskAsync"/>
    public Task<CredentialsGiven> CredentialsAsync(string nodeId, CredentialsAsked asked, CancellationToken cancel) =>
        PeerCalls.SendAsync(
            _http, PeerCalls.Post(At(nodeId, Port(nodeId), "/v1/client/credentials"), asked, ClientMessagesJson.Default.CredentialsAsked), ClientMessagesJson.Default.CredentialsGiven, s_withProducts, _time, cancel);

    /// <inheritdoc cref="AskAsync"/>
    public Task<ProofGiven> ProofAsync(string nodeId, ProofAsked asked, CancellationToken cancel) =>
        PeerCalls.SendAsync(
            _http, PeerCalls.Post(At(nodeId, Port(nodeId), "/v1/client/proof"), asked, ClientMessagesJson.Default.ProofAsked), ClientMessagesJson.Default.ProofGiven, s_withProducts, _time, cancel);

    /// <summary>The list of a server node's snapshots, as its <see cref="ISnapshotDesk"/> made it.</summary>
    /// <inheritdoc cref="AskAsync"/>
    public async Task<byte[]> SnapshotsAsync(string nodeId, CancellationToken cancel)
    {
        using var list = new MemoryStream();
        await PeerCalls.DownloadAsync(_http, new HttpRequestMessage(HttpMethod.Get, At(nodeId, Port(nodeId), "/v1/snapshots")), list, SyncLimits.BodyBytes, s_silence, _time, cancel);
        return list.ToArray();
    }

    /// <summary>Copies a server node's snapshot as it comes.</summary>
    /// <param name="size">It may have no more bytes.</param>
    /// <inheritdoc cref="AskAsync"/>
    public Task DownloadSnapshotAsync(string nodeId, string name, Stream to, long size, CancellationToken cancel) =>
        PeerCalls.DownloadAsync(_http, new HttpRequestMessage(HttpMethod.Get, At(nodeId, Port(nodeId), "/v1/snapshots/" + name)), to, size, s_silence, _time, cancel);

    /// <summary>Asks for a new peer certificate without showing one: the old one may have ended.</summary>
    /// <inheritdoc cref="AskAsync"/>
    public static async Task<CertificateGiven> CertificateAsync(X509Certificate2 ca, NodeEntry server, CertificateAsked asked, TimeProvider time, CancellationToken cancel)
    {
        using var http = PeerProbe.Client(() => { }, shown => Certificates.Complaint(shown, ca, time.GetUtcNow()) is null && Certificates.NodeIdOf(shown) == server.Id);
        var post = PeerCalls.Post(At(server.Address, server.Ports.Peers, "/v1/client/certificate"), asked, ClientMessagesJson.Default.CertificateAsked);
        return await PeerCalls.SendAsync(http, post, ClientMessagesJson.Default.CertificateGiven, s_deadline, time, cancel);
    }

    /// <inheritdoc cref="AskAsync"/>
    public Task<NodeSurvey> SurveyAsync(string nodeId, CancellationToken cancel) =>
        PeerCalls.SendAsync(_http, new HttpRequestMessage(HttpMethod.Get, At(nodeId, Port(nodeId), "/v1/survey")), SurveyJson.Default.NodeSurvey, s_deadline, _time, cancel);

    /// <summary>Calls to a node go there from now on, until the node itself has told its address. Its certificate must name it there as anywhere.</summary>
    public void FoundAt(string nodeId, IPEndPoint at) => _found[nodeId] = at;

    /// <summary>It was not there, or has told its address.</summary>
    public void Forget(string nodeId) => _found.TryRemove(nodeId, out _);

    /// <summary>The node of our cluster that answers at an address; null if none does.</summary>
    public async Task<PeerAnswer?> TryAskAsync(string address, int port, CancellationToken cancel)
    {
        try
        {
            return await PeerCalls.SendAsync(_http, new HttpRequestMessage(HttpMethod.Get, At(address, port, "/v1/peer")), PeersJson.Default.PeerAnswer, s_quickLook, _time, cancel);
        }
        catch (ProblemException)
        {
            // No node of our cluster answers. That is what the caller wants to know.
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private static Uri At(string host, int port, string path) => new UriBuilder("https", host, port, path).Uri;

    private int Port(string nodeId) => _membership.Current?.Nodes.GetValueOrDefault(nodeId)?.Ports.Peers ?? new PortPlan().Peers;

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        if (_found.TryGetValue(host, out var found)) (host, port) = (found.Address.ToString(), found.Port);
        else if (_membership.Current?.Nodes.GetValueOrDefault(host) is { } entry) (host, port) = (entry.Address, entry.Ports.Peers);
        return await PeerCalls.ConnectAsync(host, port, cancel);
    }

    private bool Trusted(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 shown || Certificates.Complaint(shown, _pki.Ca, _time.GetUtcNow()) is not null) return false;
        var expected = (sender as SslStream)?.TargetHostName;
        return !Guid.TryParse(expected, out _) || string.Equals(expected, Certificates.NodeIdOf(shown), StringComparison.OrdinalIgnoreCase);
    }
}

/// <summary>What all calls to a peer share: a socket, a deadline, and failures in words.</summary>
internal static class PeerCalls
{
    /// <summary>IPPROTO_TCP and TCP_MAXSEG (include/uapi/linux/tcp.h).</summary>
    private const int LevelTcp = 6, OptionMaxSegment = 2;

    /// <summary>For TCP alone: the kernel accepts a connection even on a busy machine. The TLS handshake may take the call's whole deadline.</summary>
    private static readonly TimeSpan s_tcpTimeout = TimeSpan.FromSeconds(2);

    /// <param name="segment">Largest segment in either direction, in bytes; null for what the interface allows.</param>
    public static async ValueTask<Stream> ConnectAsync(string host, int port, CancellationToken cancel, int? segment = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        // Before the connection: the other end is told at its beginning.
        if (segment is { } most) socket.SetRawSocketOption(LevelTcp, OptionMaxSegment, BitConverter.GetBytes(most));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(s_tcpTimeout);
        try
        {
            if (IPAddress.TryParse(host, out var address)) await socket.ConnectAsync(address, port, limit.Token);
            else await socket.ConnectAsync(host, port, limit.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static HttpRequestMessage Post<T>(Uri uri, T body, JsonTypeInfo<T> json)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, json));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return new HttpRequestMessage(HttpMethod.Post, uri) { Content = content };
    }

    /// <summary>Copies an answer of any length, but no longer than <paramref name="most"/>, while it comes.</summary>
    /// <param name="silence">So long nothing may come.</param>
    /// <exception cref="ProblemException"><c>peers/unreachable</c>, or the refusal that the peer sent.</exception>
    public static async Task DownloadAsync(HttpClient http, HttpRequestMessage request, Stream to, long most, TimeSpan silence, TimeProvider time, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(silence, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        var where = $"{request.RequestUri!.Host}:{request.RequestUri.Port}";
        using (request)
        {
            try
            {
                (request.Version, request.VersionPolicy) = (http.DefaultRequestVersion, http.DefaultVersionPolicy);
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
                await using var raw = await response.Content.ReadAsStreamAsync(both.Token);
                await using var body = new BoundedStream(raw, response.IsSuccessStatusCode ? most : SyncLimits.BodyBytes);
                if (!response.IsSuccessStatusCode)
                {
                    var refusal = await JsonSerializer.DeserializeAsync(body, PeersJson.Default.ProblemMessage, both.Token);
                    throw new ProblemException(refusal is { Code.Length: > 0 } ? refusal.ToProblem() : PeerProblems.BadAnswer(where, $"It answered with status {(int)response.StatusCode}."));
                }

                var buffer = new byte[64 * 1024];
                while (await body.ReadAsync(buffer, both.Token) is > 0 and var read)
                {
                    limit.CancelAfter(silence);
                    await to.WriteAsync(buffer.AsMemory(0, read), cancel);
                }
            }
            catch (JsonException e)
            {
                throw new ProblemException(PeerProblems.BadAnswer(where, "The answer is not the JSON of a peer."), e);
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                throw new ProblemException(PeerProblems.Unreachable(where, $"Nothing came for {silence.TotalSeconds:0} seconds."), e);
            }
            catch (HttpRequestException e)
            {
                throw new ProblemException(PeerProblems.Unreachable(where, (e.InnerException ?? e).Message), e);
            }
        }
    }

    /// <exception cref="ProblemException"><c>peers/unreachable</c>, <c>peers/bad-answer</c>, or the refusal that the peer sent.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled. The deadline never causes this.</exception>
    public static async Task<T> SendAsync<T>(HttpClient http, HttpRequestMessage request, JsonTypeInfo<T> json, TimeSpan deadline, TimeProvider time, CancellationToken cancel)
        where T : class
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        var where = $"{request.RequestUri!.Host}:{request.RequestUri.Port}";
        using (request)
        {
            try
            {
                request.Version = http.DefaultRequestVersion;
                request.VersionPolicy = http.DefaultVersionPolicy;
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
                await using var raw = await response.Content.ReadAsStreamAsync(both.Token);
                await using var body = new BoundedStream(raw, SyncLimits.BodyBytes);
                if (response.IsSuccessStatusCode)
                    return await JsonSerializer.DeserializeAsync(body, json, both.Token) ?? throw new ProblemException(PeerProblems.BadAnswer(where, "The answer is empty."));
                var refusal = await JsonSerializer.DeserializeAsync(body, PeersJson.Default.ProblemMessage, both.Token);
                throw new ProblemException(refusal is { Code.Length: > 0 } ? refusal.ToProblem() : PeerProblems.BadAnswer(where, $"It answered with status {(int)response.StatusCode}."));
            }
            catch (JsonException e)
            {
                throw new ProblemException(PeerProblems.BadAnswer(where, "The answer is not the JSON of a peer."), e);
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                throw new ProblemException(PeerProblems.Unreachable(where, limit.IsCancellationRequested ? $"No answer came within {deadline.TotalSeconds:0} seconds." : $"No connection was made within {s_tcpTimeout.TotalSeconds:0} seconds."), e);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                cancel.ThrowIfCancellationRequested();
                throw new ProblemException(PeerProblems.Unreachable(where, (e.InnerException ?? e).Message), e);
            }
        }
    }
}
