// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>
/// Listens on an agent's ports. The HTTP port has the API; a client has no other. A server's RPC port has it too, for servers that pass calls on to their leader, and besides it what
/// agents say to each other; raft's connections come there as well. The serf port is where others ask to join, and has nothing else.
/// </summary>
internal sealed class ApiHost : IAsyncDisposable
{
    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromMilliseconds(500);

    private readonly AgentParts _agent;
    private readonly ILogger _log;
    private readonly LeaderCalls? _leader;
    private readonly ServerCalls? _servers;
    private readonly NodeCalls _nodes;
    private readonly Callers _callers;
    private readonly BodyBudget _bodies = new();
    private readonly WebApplication _app;

    public ApiHost(AgentParts agent, ILogger log)
    {
        (_agent, _log) = (agent, log);
        if (agent.Server is not null) _leader = new LeaderCalls(agent.Server);
        else _servers = new ServerCalls(agent.Client!, agent.Time);
        _nodes = new NodeCalls(agent, _servers);
        _callers = new Callers(agent.Config);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Configure).UseShutdownTimeout(s_stopDeadline);
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    /// <summary>Listens.</summary>
    /// <exception cref="IOException">A port is taken.</exception>
    public Task StartAsync(CancellationToken cancel) => _app.StartAsync(cancel);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        var (bind, ports, doors) = (IPAddress.Parse(_agent.Config.BindAddr), _agent.Config.Ports, new Doors(_agent, _log));
        kestrel.AddServerHeader = false;
        kestrel.Listen(bind, ports.Http, listen => doors.Open(listen, betweenAgents: false));
        if (_agent.Server is null) return;
        kestrel.Listen(bind, ports.Rpc, listen => doors.Open(listen, betweenAgents: true));
        kestrel.Listen(bind, ports.Serf, listen => doors.Open(listen, betweenAgents: true));
    }

    private async Task AnswerAsync(HttpContext http)
    {
        try
        {
            await DispatchAsync(http);
        }
        catch (ServerException e)
        {
            if (e is NotLeaderException) http.Response.Headers[RpcNames.NotLeaderHeader] = "1";
            await TextAsync(http, e.Status, e.Message);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Whoever asked is gone.
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
        {
            await TextAsync(http, e.StatusCode, "The request's body did not come whole.");
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            // A bug of ours in one call: its caller is told, and the server, which others rely on, goes on.
            _log.LogError(e, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
            await TextAsync(http, StatusCodes.Status500InternalServerError,
                $"rpc error: {http.Request.Method} {http.Request.Path} failed inside nomadstack's embedded engine. The agent's log says why; please report it.");
        }
    }

    private async Task DispatchAsync(HttpContext http)
    {
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var path = target.Split('?', 2)[0].Split('/');
        var (port, ports) = (http.Connection.LocalPort, _agent.Config.Ports);
        var betweenAgents = port != ports.Http;
        var (known, unserved) = (false, false);
        foreach (var route in Routes.All)
        {
            if (route.Match(path) is not { } parts || (route.Access is Access.Rpc or Access.LocalRpc && !betweenAgents) || (port == ports.Serf && route.Access != Access.LocalRpc)) continue;
            known = true;
            if (!route.Allows(http.Request.Method)) continue;
            unserved = route.Answer is null;
            if (unserved) break;
            _callers.Check(http.Request, route.ActsOnGet && HttpMethods.IsGet(http.Request.Method));
            using var body = await _bodies.ReadAsync(http, route.MaxBody);
            var call = new ApiCall(http, _agent, route, parts, body.Bytes);
            Queries.Check(route, call);
            if (route.Body != Bodies.Raw) call.BodyIfAny();
            await (route.Access switch
            {
                Access.Agent => route.RunAsync(call),
                Access.Node => _nodes.CallAsync(route, call),
                _ when _leader is null => _servers!.CallAsync(call),
                Access.Local or Access.LocalRpc => route.RunAsync(call),
                Access.Read when call.Query("stale") is not null => route.RunAsync(call),
                _ => _leader.CallAsync(route, call),
            });
            return;
        }

        _callers.Check(http.Request, acts: false);
        if (known && !unserved) throw new ServerException(StatusCodes.Status405MethodNotAllowed, "Invalid method");
        await NotServed.AnswerAsync(http, target.Split('?', 2)[0]);
    }

    private static async Task TextAsync(HttpContext http, int status, string text)
    {
        if (http.Response.HasStarted) return;
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync(text, http.RequestAborted);
    }
}
