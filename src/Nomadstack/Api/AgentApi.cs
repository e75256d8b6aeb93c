// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Nomadstack.Cluster;
using Nomadstack.Timeline;

namespace Nomadstack.Api;

/// <summary>
/// The routes of the agent's local API. They answer only on unix sockets, whatever else the same Kestrel listens on.
/// A refusal is the <see cref="Problem"/> itself, as <c>application/problem+json</c>.
/// </summary>
internal static class AgentApi
{
    public const string Prefix = "/v1";
    public const string ProblemJson = "application/problem+json";

    public static void Map(IEndpointRouteBuilder routes, IAgentService agent, string prefix = Prefix)
    {
        var v1 = routes.MapGroup(prefix);
        var json = ApiJson.Default;

        v1.MapGet("/status", Answer(json.StatusDocument, http => agent.StatusAsync(http.RequestAborted)));
        v1.MapPost("/bootstrap", Answer(json.Operation, async http =>
            await agent.BootstrapAsync(await ReadAsync(http, json.BootstrapRequest, new()), http.RequestAborted)));

        v1.MapGet("/operations", Answer(json.Operations, _ => Task.FromResult(agent.Operations())));
        v1.MapGet("/operations/{id}", Answer(json.Operation, http => Task.FromResult(
            agent.Operation(Named(http, "id")) ?? throw UnknownOperation(Named(http, "id")))));

        v1.MapGet("/tokens", Answer(json.Tokens, _ => Task.FromResult(agent.Tokens())));
        v1.MapPost("/tokens", Answer(json.TokenCreated, async http =>
            await agent.CreateTokenAsync(await ReadAsync(http, json.TokenRequest, new()), http.RequestAborted)));
        v1.MapDelete("/tokens/{id}", Do(http => agent.RevokeTokenAsync(Named(http, "id"), http.RequestAborted)));

        v1.MapPost("/nodes/{node}/drain", Answer(json.Operation, async http =>
            await agent.DrainAsync(Named(http, "node"), await ReadAsync(http, json.DrainRequest, new()), http.RequestAborted)));
        v1.MapDelete("/nodes/{node}", Do(http => agent.RemoveNodeAsync(Named(http, "node"), http.RequestAborted)));

        v1.MapPost("/nodes/{node}/address", Do(async http =>
            await agent.FindNodeAsync(Named(http, "node"), (await ReadAsync(http, json.AddressRequest, new(""))).Address, http.RequestAborted)));

        v1.MapPost("/programs/{product}", Answer(json.ProgramUsed, async http =>
            await agent.UseProgramAsync(Named(http, "product"), (await ReadAsync(http, json.ProgramRequest, new())).File, http.RequestAborted)));

        // A POST, for the query is a document; nothing is changed.
        v1.MapPost("/timeline", Answer(TimelineJson.Default.TimelineDocument, async http =>
            await agent.TimelineAsync(await ReadAsync(http, TimelineJson.Default.TimelineQuery, new()), http.RequestAborted)));

        v1.MapPost("/drill", Answer(json.DrillReport, async http =>
            await agent.DrillAsync(await ReadAsync(http, json.DrillRequest, new("")), http.RequestAborted)));

        v1.MapPost("/restore", Answer(json.Operation, async http =>
            await agent.RestoreAsync(await ReadAsync(http, json.RestoreRequest, new("", "")), http.RequestAborted)));
        v1.MapPost("/recover", Answer(json.Operation, async http =>
            await agent.RecoverAsync(await ReadAsync(http, json.RecoverRequest, new()), http.RequestAborted)));
        v1.MapPost("/recover/plan", Answer(json.RecoverPlan, async http =>
            await agent.PlanRecoveryAsync(await ReadAsync(http, json.RecoverRequest, new()), http.RequestAborted)));
        v1.MapGet("/recover/accept-state", Answer(json.AcceptPlan, http => agent.PlanAcceptStateAsync(http.RequestAborted)));
        v1.MapPost("/recover/accept-state", Do(async http => await agent.AcceptStateAsync(await ReadAsync(http, json.AcceptRequest, new()), http.RequestAborted)));

        v1.MapPost("/credentials", Answer(json.CredentialsMade, async http =>
            await agent.MakeCredentialsAsync(await ReadAsync(http, json.CredentialsRequest, new("", "")), http.RequestAborted)));

        v1.MapPost("/secure", Answer(json.Operation, async http =>
            await agent.SecureAsync(await ReadAsync(http, json.SecureRequest, new()), http.RequestAborted)));
        v1.MapPost("/rotate", Answer(json.Operation, async http =>
            await agent.RotateAsync(await ReadAsync(http, json.RotateRequest, new("")), http.RequestAborted)));
        v1.MapPost("/rotate/plan", Answer(json.RotatePlan, async http => agent.PlanRotation(await ReadAsync(http, json.RotateRequest, new("")))));

        v1.MapGet("/snapshots", Answer(json.Snapshots, _ => Task.FromResult(agent.Snapshots())));
        v1.MapPost("/snapshots", Answer(json.Operation, http => agent.SaveSnapshotAsync(http.RequestAborted)));
        v1.MapPost("/snapshots/inspect", Answer(json.SnapshotInfo, async http => await agent.InspectSnapshotAsync(await ReadAsync(http, json.SnapshotRequest, new()), http.RequestAborted)));
        v1.MapPost("/snapshots/verify", Answer(json.Operation, async http => await agent.VerifySnapshotAsync(await ReadAsync(http, json.SnapshotRequest, new()), http.RequestAborted)));
        v1.MapPost("/snapshots/plan", Answer(json.RestorePlan, async http => await agent.PlanRestoreAsync(await ReadAsync(http, json.SnapshotRequest, new()), http.RequestAborted)));
        v1.MapPost("/snapshots/restore", Answer(json.Operation, async http => await agent.RestoreSnapshotAsync(await ReadAsync(http, json.SnapshotRequest, new()), http.RequestAborted)));
        v1.MapPost("/snapshots/prune", Answer(json.PruneResult, async http => agent.PruneSnapshots(await ReadAsync(http, json.PruneRequest, new()))));
        v1.MapPost("/snapshots/policy", Answer(json.SnapshotPolicyStatus, async http => await agent.SnapshotPolicyAsync(await ReadAsync(http, json.SnapshotPolicyRequest, new()), http.RequestAborted)));
        v1.MapPost("/snapshots/key", Answer(json.RecoveryKeyShown, _ => Task.FromResult(agent.RecoveryKey())));
        v1.MapPost("/kit", Answer(json.KitMade, async http => await agent.MakeKitAsync(await ReadAsync(http, json.KitRequest, new("")), http.RequestAborted)));

        v1.MapGet("/metrics", http => Guarded(http, async () =>
        {
            var text = MetricsText.Of(await agent.StatusAsync(http.RequestAborted));
            http.Response.ContentType = MetricsText.ContentType;
            await http.Response.WriteAsync(text, http.RequestAborted);
        }));

        v1.MapGet("/endpoints", Answer(json.Endpoints, _ => Task.FromResult(agent.Endpoints())));

        // Not RequestAborted: the stop goes on even if its caller has gone.
        v1.MapPost("/stop", Do(_ => agent.StopEverythingAsync(CancellationToken.None)));
    }

    private static RequestDelegate Answer<T>(JsonTypeInfo<T> json, Func<HttpContext, Task<T>> handle) => http => Guarded(http, async () =>
    {
        var answer = await handle(http);
        http.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(http.Response.Body, answer, json, http.RequestAborted);
    });

    private static RequestDelegate Do(Func<HttpContext, Task> handle) => http => Guarded(http, async () =>
    {
        await handle(http);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    });

    private static async Task Guarded(HttpContext http, Func<Task> handle)
    {
        // The dashboard's TCP port may belong to the same Kestrel. These routes do not exist there.
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket.AddressFamily != AddressFamily.Unix)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            await handle();
        }
        catch (ProblemException e)
        {
            http.Response.StatusCode = StatusOf(e.Problem);
            http.Response.ContentType = ProblemJson;
            await JsonSerializer.SerializeAsync(http.Response.Body, e.Problem, ApiJson.Default.Problem, http.RequestAborted);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone; nobody waits for an answer.
            http.Abort();
        }
    }

    /// <summary>409: refused as unsafe. 400: the request itself is wrong. 500: anything else. Our client reads only the body, which says more.</summary>
    private static int StatusOf(Problem problem) =>
        problem.Unsafe ? StatusCodes.Status409Conflict
        : problem.Code.StartsWith("request/", StringComparison.Ordinal) ? StatusCodes.Status400BadRequest
        : StatusCodes.Status500InternalServerError;

    private static string Named(HttpContext http, string name) => (string)http.Request.RouteValues[name]!;

    private static async Task<T> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> json, T ifEmpty)
    {
        if (http.Request.ContentLength is null or 0 && !http.Request.Headers.ContainsKey("Transfer-Encoding")) return ifEmpty;
        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, json, http.RequestAborted) ?? ifEmpty;
        }
        catch (JsonException e)
        {
            throw new ProblemException(ApiProblems.MalformedBody($"{http.Request.Method} {http.Request.Path}", e.Path), e);
        }
    }

    private static ProblemException UnknownOperation(string id) =>
        new(ApiProblems.UnknownOperation(id));
}
