// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Relay;

/// <summary>
/// A port on loopback behind which a product's own web page is: every request that may come from the operator's own page is passed on with this node's certificate and token,
/// of which the browser gets neither.
/// </summary>
internal sealed class RelayHost : IAsyncDisposable
{
    private const string Entry = "/enter", CodeKey = "code";

    /// <summary>Where the products have their pages, all of them.</summary>
    private const string FirstPage = "/ui/";

    private readonly WebApplication _app;
    private readonly Forwarder _forwarder;
    private readonly IReadOnlySet<uint> _operators;
    private volatile Session? _session;
    private int _port;

    private RelayHost(Upstream upstream, int port, IReadOnlySet<uint> operators)
    {
        (_forwarder, _operators) = (new(upstream), operators);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // The command handles signals itself.
        builder.Services.AddSingleton<IHostLifetime, PeerHost.NoLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // What a product accepts is for the product to say, and how fast for the disk it is read from. A page in the background may stop to read its log.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, port, Listen);
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    /// <summary>The address that lets one browser in, once.</summary>
    public string EntryAddress => $"{Admission.Address(_port)}{Entry}?{CodeKey}={_session!.Code}";

    public DateTimeOffset EntryEnds => _session!.CodeEnds;

    /// <summary>When this returns, the port is open.</summary>
    /// <param name="port">0 for a free one.</param>
    /// <param name="operators">Whose processes may connect.</param>
    /// <exception cref="ProblemException"><c>ui/port-taken</c>.</exception>
    public static async Task<RelayHost> StartAsync(Upstream upstream, int port, IReadOnlySet<uint> operators, TimeProvider time, CancellationToken cancel)
    {
        var relay = new RelayHost(upstream, port, operators);
        try
        {
            await relay._app.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            await relay._app.DisposeAsync();
            throw new ProblemException(RelayProblems.PortTaken(port, e.Message), e);
        }

        relay._port = new Uri(relay._app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single()).Port;
        relay._session = new Session(relay._port, time);
        return relay;
    }

    /// <summary>Ends at once: what is under way would hold it up for minutes, and nothing of it is ours.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private static void Listen(ListenOptions listen)
    {
        // WebSockets are upgrades of HTTP/1.1.
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection =>
        {
            if (connection is { RemoteEndPoint: IPEndPoint peer, LocalEndPoint: IPEndPoint own }) connection.Features.Set(new Visitor(ConnectedUser.Of(peer, own)));
            return next(connection);
        });
    }

    private async Task AnswerAsync(HttpContext http)
    {
        try
        {
            await AdmitAsync(http);
        }
        catch (ProblemException e)
        {
            await RelayPage.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, e.Problem);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The browser has gone; nobody waits for an answer.
            http.Abort();
        }
    }

    private async Task AdmitAsync(HttpContext http)
    {
        var headers = http.Request.Headers;
        var visit = new Visit(headers.Host.ToString(), headers.Origin.ToString(), headers["Sec-Fetch-Site"].ToString(), http.Features.Get<Visitor>()?.User);
        if (Admission.Refusal(visit, _port, _operators) is { } refusal) await RelayPage.WriteAsync(http, StatusCodes.Status403Forbidden, refusal);
        else if (_session is not { } session) await RelayPage.WriteAsync(http, StatusCodes.Status403Forbidden, RelayProblems.NotEntered());
        else if (http.Request.Path == Entry) await EnterAsync(http, session);
        else if (!session.Knows(headers.Cookie)) await RelayPage.WriteAsync(http, StatusCodes.Status403Forbidden, RelayProblems.NotEntered());
        else if (http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget is not ['/', ..] target)
            await RelayPage.WriteAsync(http, StatusCodes.Status400BadRequest, RelayProblems.OddRequest());
        else await _forwarder.ForwardAsync(http, target);
    }

    private static async Task EnterAsync(HttpContext http, Session session)
    {
        if (!HttpMethods.IsGet(http.Request.Method) || session.Enter(http.Request.Query[CodeKey]) is not { } cookie)
        {
            await RelayPage.WriteAsync(http, StatusCodes.Status403Forbidden, RelayProblems.CodeSpent());
            return;
        }

        RelayedHeaders.Protect(http.Response.Headers, http.Request.Path);
        http.Response.StatusCode = StatusCodes.Status303SeeOther;
        http.Response.Headers.SetCookie = cookie;
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.Location = FirstPage;
    }

    /// <param name="User">Null where the kernel does not say.</param>
    private sealed record Visitor(uint? User);
}
