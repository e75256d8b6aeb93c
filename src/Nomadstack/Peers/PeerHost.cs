// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Nomadstack.Cluster;
using Nomadstack.Timeline;

namespace Nomadstack.Peers;

/// <summary>How an agent introduces itself.</summary>
/// <param name="Instance">Minted at each start of the agent.</param>
internal sealed record AgentIdentity(string Version, string Instance)
{
    public static AgentIdentity Mint(string version) => new(version, Guid.NewGuid().ToString());
}

/// <summary>
/// The peer port: HTTP/2 over TLS on this node's address. Anyone may send a ping or ask to join. Everything else
/// needs a certificate of our CA that names a node that was not removed.
/// </summary>
internal sealed class PeerHost(Membership membership, Pki pki, AgentIdentity identity, JoinDesk joins, SyncDesk syncs, SecretStore secrets, PeerHealth health, TimeProvider time, IClientDesk? clients = null, ISnapshotDesk? snapshots = null) : IAsyncDisposable
{
    /// <summary>Two from each node of a cluster of 500, beside strangers.</summary>
    private const int MostConnections = 1024;

    private readonly Strangers _strangers = new(address => membership.Current?.Nodes.Values.Any(n => !n.Removed && IPAddress.TryParse(n.Address, out var known) && known.Equals(address)) == true, time);
    private readonly SecretDesk _secretDesk = new(membership, secrets);
    private readonly RenewalDesk _renewals = new(membership, pki, time);
    private WebApplication? _app;

    /// <summary>What happened on this node; empty where it tells nothing.</summary>
    public string TimelineFile { private get; init; } = "";

    /// <summary>Connections without a certificate, now.</summary>
    internal int StrangersNow => _strangers.Count;

    /// <summary>Tells server nodes what raft data is here; null where nobody can tell.</summary>
    public ISurveyDesk? Surveys { get; init; }

    public static Problem CannotListen(IPAddress address, int port, string why) =>
        new("peers/cannot-listen", $"The peer port {address}:{port} cannot be opened.", why, "Free the port, or give this node another address with --bind or another port.");

    /// <summary>When this returns, the port is open.</summary>
    /// <exception cref="ProblemException"><c>peers/cannot-listen</c>.</exception>
    public async Task StartAsync(IPAddress address, int port, CancellationToken cancel)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // The agent handles signals itself; the default lifetime would catch SIGTERM.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = SyncLimits.BodyBytes;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 16;
            kestrel.Listen(address, port, Listen);
        });
        var app = builder.Build();
        app.Run(AnswerAsync);
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            await app.DisposeAsync();
            throw new ProblemException(PeerProblems.CannotListen(address, port, e.Message), e);
        }

        _app = app;
    }

    public async Task StopAsync(CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _app, null) is not { } app) return;
        await app.StopAsync(cancel);
        await app.DisposeAsync();
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    private void Listen(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http2;
        _strangers.Bound(listen);
        listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = pki.Node,
            ServerCertificateChain = [pki.Ca],
            ClientCertificateMode = ClientCertificateMode.AllowCertificate,
            ClientCertificateValidation = (certificate, _, _) => Certificates.Complaint(certificate, pki.Ca, time.GetUtcNow()) is null,
            HandshakeTimeout = TimeSpan.FromSeconds(5),
        });
        Strangers.Know(listen);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            switch (context.Request.Method, context.Request.Path.Value)
            {
                case ("GET", "/v1/ping"):
                    await WriteAsync(context, Ping(context.Request.Query["padding"]), PeersJson.Default.PingAnswer);
                    break;
                case ("POST", "/v1/join"):
                    await WriteAsync(context, await joins.AnswerAsync(await ReadAsync(context, PeersJson.Default.JoinRequest), context.RequestAborted), PeersJson.Default.JoinAnswer);
                    break;
                case ("GET", "/v1/peer"):
                    Authenticate(context);
                    await WriteAsync(context, new PeerAnswer(membership.Node.Id, membership.Node.Name, pki.ClusterId, identity.Version, identity.Instance, time.GetUtcNow()), PeersJson.Default.PeerAnswer);
                    break;
                case ("POST", "/v1/sync"):
                    var peer = Authenticate(context);
                    var step = await ReadAsync(context, PeersJson.Default.SyncRequest);
                    health.Note(peer, step.Disk);
                    health.NoteClock(peer, step.Clock);
                    await WriteAsync(context, syncs.Answer(step, peer, IsServer(peer) ? secrets.Digest : null) with { Disk = health.Disk(), Clock = time.GetUtcNow() }, PeersJson.Default.SyncAnswer);
                    break;
                case ("POST", "/v1/secrets"):
                    var server = Authenticate(context);
                    await WriteAsync(context, _secretDesk.Answer(await ReadAsync(context, SecretsJson.Default.SecretsRequest), server), SecretsJson.Default.SecretsAnswer);
                    break;
                case ("POST", "/v1/timeline"):
                    Authenticate(context);
                    await WriteAsync(context, Timeline(await ReadSmallAsync(context, TimelineJson.Default.TimelineQuery)), TimelineJson.Default.TimelinePart);
                    break;
                case ("POST", "/v1/client/credentials") when clients is not null:
                    var (asking, shown) = Client(context);
                    var wanted = await ReadSmallAsync(context, ClientMessagesJson.Default.CredentialsAsked);
                    await WriteAsync(context, await clients.GiveAsync(asking, shown, wanted, context.RequestAborted), ClientMessagesJson.Default.CredentialsGiven);
                    break;
                case ("POST", "/v1/client/proof") when clients is not null:
                    (asking, _) = Client(context);
                    var claim = await ReadSmallAsync(context, ClientMessagesJson.Default.ProofAsked);
                    await WriteAsync(context, await clients.ProveAsync(asking, claim, context.RequestAborted), ClientMessagesJson.Default.ProofGiven);
                    break;
                case ("GET", "/v1/survey") when Surveys is { } surveys:
                    var surveyor = Authenticate(context);
                    if (!IsServer(surveyor)) throw new ProblemException(PeerProblems.NotAServerNode(surveyor));
                    await WriteAsync(context, await surveys.SurveyAsync(context.RequestAborted), SurveyJson.Default.NodeSurvey);
                    break;
                case ("POST", "/v1/client/certificate"):
                    await WriteAsync(context, _renewals.Answer(await ReadSmallAsync(context, ClientMessagesJson.Default.CertificateAsked)), ClientMessagesJson.Default.CertificateGiven);
                    break;
                case ("GET", "/v1/snapshots") when snapshots is not null:
                    ServerNode(context);
                    context.Response.ContentType = "application/json";
                    await context.Response.Body.WriteAsync(snapshots.List(), context.RequestAborted);
                    break;
                case ("GET", { } path) when snapshots is not null && path.StartsWith(SnapshotPath, StringComparison.Ordinal):
                    ServerNode(context);
                    await using (var file = snapshots.Open(path[SnapshotPath.Length..]) ?? throw new ProblemException(PeerProblems.NoSuchRoute($"GET {path}")))
                    {
                        context.Response.ContentLength = file.Length;
                        await file.CopyToAsync(context.Response.Body, context.RequestAborted);
                    }

                    break;
                default:
                    throw new ProblemException(PeerProblems.NoSuchRoute($"{context.Request.Method} {context.Request.Path}"));
            }
        }
        catch (ProblemException refused) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusOf(refused.Problem.Code);
            await WriteAsync(context, ProblemMessage.Of(refused.Problem), PeersJson.Default.ProblemMessage);
        }
    }

    private const string SnapshotPath = "/v1/snapshots/";

    /// <summary>Archives hold the cluster's secrets, though sealed: only who may have those gets them.</summary>
    private void ServerNode(HttpContext context)
    {
        if (Authenticate(context) is var peer && !IsServer(peer)) throw new ProblemException(PeerProblems.NotAServerNode(peer));
    }

    private TimelinePart Timeline(TimelineQuery query)
    {
        try
        {
            return TimelineFile.Length > 0 ? JournalFile.Read(TimelineFile, query) : new([], false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(TimelineProblems.NotReadable(TimelineFile, e.Message), e);
        }
    }

    private bool IsServer(string peer) => membership.Current?.Nodes.GetValueOrDefault(peer) is { } node && SecretDesk.IsServer(node);

    private PingAnswer Ping(string? padding) =>
        new(PingAnswer.Nomadstack, pki.ClusterId, membership.Node.Name, identity.Version, time.GetUtcNow(), pki.Ca.ExportCertificatePem())
        {
            Padding = int.TryParse(padding, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? new('0', Math.Min(bytes, PeerProbe.Padding)) : null,
        };

    private string Authenticate(HttpContext context)
    {
        var certificate = context.Connection.ClientCertificate
            ?? throw new ProblemException(PeerProblems.NoCertificate());
        var nodeId = Certificates.NodeIdOf(certificate);
        // An unknown node has just joined through another member: its certificate proves that.
        var entry = membership.Current?.Nodes.GetValueOrDefault(nodeId);
        if (entry is { Removed: true } removed)
            throw new ProblemException(PeerProblems.Removed(removed.Name));
        // A node that was removed and joined again has another key. The old key belongs to a machine, or a thief, that was shut out.
        if (entry is { KeyPin.Length: > 0 } && entry.KeyPin != Certificates.Pin(certificate))
            throw new ProblemException(PeerProblems.OtherKey(entry.Name));
        // Our own certificate from another address means a copied data folder. It says nothing about our peers.
        if (nodeId != membership.Node.Id) health.Heard(nodeId);
        return nodeId;
    }

    /// <summary>The member that asks. One that is not in the membership yet proves with its certificate that it was let in, and not as what.</summary>
    private (NodeEntry Node, X509Certificate2 Shown) Client(HttpContext context)
    {
        var id = Authenticate(context);
        return (membership.Current?.Nodes.GetValueOrDefault(id) ?? throw new ProblemException(ClientProblems.NotKnownYet(id)), context.Connection.ClientCertificate!);
    }

    /// <summary>A request that has no reason to be large.</summary>
    private static Task<T> ReadSmallAsync<T>(HttpContext context, JsonTypeInfo<T> json)
        where T : class
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = SyncLimits.SmallBytes;
        return ReadAsync(context, json);
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> json)
        where T : class
    {
        try
        {
            if (await JsonSerializer.DeserializeAsync(context.Request.Body, json, context.RequestAborted) is { } value) return value;
        }
        catch (JsonException e)
        {
            throw BadRequest($"Its body is not JSON, or a value in it is of the wrong kind: {(e.Path is { Length: > 1 } at ? at + ", " : "")}line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
        {
            throw BadRequest(e.Message, e);
        }

        throw BadRequest("Its body is empty.");
    }

    private static ProblemException BadRequest(string why, Exception? inner = null) =>
        new(PeerProblems.BadRequest(why), inner);

    private static async Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> json)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(value, json);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static int StatusOf(string code) => code switch
    {
        "peers/bad-request" or "client/bad-request" or "peers/bad-document" or "join/bad-request" => StatusCodes.Status400BadRequest,
        "peers/no-certificate" => StatusCodes.Status401Unauthorized,
        "peers/removed" or "peers/other-key" or "peers/not-a-server-node" or "peers/other-cluster" => StatusCodes.Status403Forbidden,
        "client/other-name" or "client/name-taken" or "client/not-renewed" => StatusCodes.Status403Forbidden,
        "peers/no-such-route" => StatusCodes.Status404NotFound,
        "storage/unwritable" or "peers/no-cluster" => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status409Conflict,
    };

    internal sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
