// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>One request and its answer, in the shapes that Nomad's API has everywhere.</summary>
/// <param name="parts">What stands in the path where its pattern has a star.</param>
/// <param name="body">Read whole before anything is decided: a call may have to be made again to another server.</param>
internal sealed class ApiCall(HttpContext http, AgentParts agent, Route route, IReadOnlyList<string> parts, ReadOnlyMemory<byte> body)
{
    private const int UuidLength = 36;

    private JsonObject? _shaped;

    public AgentParts Agent => agent;

    /// <summary>Only where the route makes sure that this agent has one.</summary>
    public NomadServer Server => agent.Server ?? throw new InvalidOperationException("this agent runs no server");

    public NomadClient Client => agent.Client ?? throw new InvalidOperationException("this agent runs no client");

    /// <summary>Another agent asks on behalf of its caller.</summary>
    public bool IsForwarded => http.Request.Headers.ContainsKey(RpcNames.ForwardedHeader);

    public HttpContext Http => http;

    public StateSnapshot State => Server.State.Current;

    public DateTimeOffset Now => agent.Time.GetUtcNow();

    public CancellationToken Cancel => http.RequestAborted;

    public ReadOnlyMemory<byte> RawBody => body;

    public IReadOnlyList<string> Parts => parts;

    /// <summary>The first star of the path.</summary>
    public string Id => parts[0];

    public string Namespace => Query("namespace") is { Length: > 0 } name ? name : "default";

    public JobKey JobKey => new(Namespace, Id);

    public LeaderSession Session => Server.Session ?? throw new NotLeaderException();

    /// <summary>The secret that the caller shows; empty for none.</summary>
    public string Token => http.Request.Headers["X-Nomad-Token"].ToString().Trim() is { Length: > 0 } said ? said
        : http.Request.Headers.Authorization.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [var scheme, var secret]
            && scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) ? secret
        : "";

    /// <summary>Who calls, once that was asked for.</summary>
    public Holder Holder { get; private set; } = Holder.Anybody;

    public string? Query(string name) => http.Request.Query.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>Whether a row is wanted by a list with a namespace; a star is all of them that the caller may see.</summary>
    public bool Wants(string ns) => Namespace == ns || (Namespace == "*" && (route.Right.OfRows is not { } needed || Holder.Grants.In(ns, needed)));

    /// <summary>Finds out who calls, and whether he may.</summary>
    /// <exception cref="ServerException">He may not.</exception>
    public async Task AuthorizeAsync()
    {
        if (!route.Right.AsksForToken) return;
        Holder = await agent.Tokens.ResolveAsync(Token, Cancel);
        if (!route.Right.Holds(this, Holder.Grants)) throw Right.Denied();
    }

    /// <exception cref="ServerException">As Nomad turns down what is no id.</exception>
    public string Uuid(string what) => Id.Length == UuidLength ? Id : throw ServerException.Failed($"{what} lookup failed: index error: UUID must be 36 characters");

    /// <summary>A flag of the query; one that is there without a value is set.</summary>
    /// <exception cref="ServerException">It is neither true nor false.</exception>
    public bool Flag(string name, bool absent = false) => Query(name) switch
    {
        null => absent,
        "" or "true" or "1" => true,
        "false" or "0" => false,
        var other => throw ServerException.Invalid($"failed to parse {name} field to boolean: \"{other}\""),
    };

    /// <summary>The body as its route describes it: every field under its own name, null or Go's zero where nothing was said.</summary>
    /// <exception cref="ServerException">It is no object, or has what the route does not know.</exception>
    public JsonObject Body() => _shaped ??= Shape();

    /// <summary>As <see cref="Body"/>, with an empty body for an object that says nothing.</summary>
    public JsonObject BodyIfAny() => SaysNothing ? JobShape.Of([], route.Body ?? Bodies.None).Shaped : Body();

    private JsonObject Shape()
    {
        var (shaped, complaints) = JobShape.Of(JsonText.Object(body), route.Body ?? Bodies.None);
        if (complaints.Count > 0) throw ServerException.Invalid(string.Join('\n', complaints));
        Queries.CheckRegion(this, (string?)shaped["Region"]);
        foreach (var id in new[] { "JobID", "NodeID", "DeploymentID", "AllocID" })
            if ((string?)shaped[id] is { Length: > 0 } said && said != Id) throw ServerException.Invalid($"{id}: is \"{said}\", and the path says \"{Id}\"");
        if ((string?)shaped[nameof(Namespace)] is { Length: > 0 } ns && ns != Namespace && Query("namespace") is not null)
            throw ServerException.Invalid($"Namespace: is \"{ns}\" in the body and \"{Namespace}\" in the query");
        return shaped;
    }

    /// <summary>Go's clients send the word null where they have nothing to send.</summary>
    private bool SaysNothing => body.Span.Trim(" \t\r\n"u8) is [] || body.Span.Trim(" \t\r\n"u8).SequenceEqual("null"u8);

    /// <summary>The state for a read. With <c>?index=</c> waits for a later one; tells in headers which it is.</summary>
    public async Task<StateSnapshot> ReadAsync(Func<StateSnapshot, long> indexOf)
    {
        if (Query("consistent") is not null && Server.Session is not null) await Server.BarrierAsync(Cancel);
        var (above, wait) = (0L, (TimeSpan?)null);
        if (Query("index") is { Length: > 0 } index && !long.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out above)) throw ServerException.Invalid("Invalid index");
        if (Query("wait") is { Length: > 0 } text) wait = GoDuration.TryParse(text, out var nanoseconds) ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick) : throw ServerException.Invalid("Invalid wait time");
        var state = await Server.State.Store.WaitAsync(above, indexOf, BlockingQuery.Wait(wait, Random.Shared.NextDouble()), agent.Time, Cancel);
        var node = Server.Raft.Node;
        var headers = http.Response.Headers;
        headers["X-Nomad-Index"] = indexOf(state).ToString(CultureInfo.InvariantCulture);
        headers["X-Nomad-KnownLeader"] = node?.Status.Leader is not null ? "true" : "false";
        headers["X-Nomad-LastContact"] = ((long)(node?.LastContact ?? TimeSpan.Zero).TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        return state;
    }

    /// <summary>The answer tells the index of what was written.</summary>
    public void Indexed(long index) => http.Response.Headers["X-Nomad-Index"] = index.ToString(CultureInfo.InvariantCulture);

    public Task<long> ApplyAsync(Command command) => Server.Writer.ApplyAsync(command, Cancel);

    /// <summary>The answer to a write.</summary>
    public Task WroteAsync(long index, JsonObject answer)
    {
        Indexed(index);
        answer["Index"] = index;
        answer["LastContact"] = 0;
        answer["KnownLeader"] = false;
        return JsonAsync(answer);
    }

    public Task JsonAsync<T>(T value, JsonTypeInfo<T> type) => WriteAsync(json => JsonSerializer.Serialize(json, value, type));

    public Task JsonAsync(JsonNode? node, int status = StatusCodes.Status200OK) => WriteAsync(json =>
    {
        if (node is null) json.WriteNullValue();
        else node.WriteTo(json);
    }, status);

    public Task ListAsync(IEnumerable<JsonNode> items) => JsonAsync(new JsonArray([.. items]));

    /// <summary>Done, with nothing to say.</summary>
    public Task NothingAsync()
    {
        http.Response.ContentLength = 0;
        return Task.CompletedTask;
    }

    private async Task WriteAsync(Action<Utf8JsonWriter> write, int status = StatusCodes.Status200OK)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = Query("pretty") is not null })) write(json);
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = buffer.WrittenCount;
        await http.Response.Body.WriteAsync(buffer.WrittenMemory, Cancel);
    }
}
