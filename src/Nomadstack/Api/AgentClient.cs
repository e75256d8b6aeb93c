// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Api;

/// <summary>
/// The agent's local API, as the command line uses it. If the agent refuses, its <see cref="Problem"/> is thrown.
/// If the agent cannot be reached, <c>agent/unreachable</c> says why and how to start one.
/// </summary>
internal sealed class AgentClient : IDisposable
{
    /// <summary>No call waits for a leader or a quorum. An agent that takes longer is stuck.</summary>
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    /// <summary>For calls that read a whole snapshot, or restore one into a throw-away server to look at it.</summary>
    private static readonly TimeSpan s_wholeState = TimeSpan.FromMinutes(15);

    private readonly NodePaths _paths;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;

    public AgentClient(NodePaths paths, TimeProvider time)
    {
        _paths = paths;
        _time = time;
        _http = new HttpClient(new ResetConnections(new SocketsHttpHandler { ConnectCallback = ConnectAsync, UseProxy = false, AllowAutoRedirect = false }))
        {
            BaseAddress = new Uri("http://agent" + AgentApi.Prefix + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Who listens at the other end.</summary>
    internal Func<Socket, PeerCredentials> PeerOf { private get; init; } = PeerCredentials.Of;

    public Task<StatusDocument> StatusAsync(CancellationToken cancel) => GetAsync("status", ApiJson.Default.StatusDocument, cancel);

    public Task<Operation> BootstrapAsync(BootstrapRequest request, CancellationToken cancel) =>
        PostAsync("bootstrap", request, ApiJson.Default.BootstrapRequest, ApiJson.Default.Operation, cancel);

    public Task<IReadOnlyList<Operation>> OperationsAsync(CancellationToken cancel) => GetAsync("operations", ApiJson.Default.Operations, cancel);

    public Task<Operation> OperationAsync(string id, CancellationToken cancel) =>
        GetAsync("operations/" + Uri.EscapeDataString(id), ApiJson.Default.Operation, cancel);

    public Task<TokenCreated> CreateTokenAsync(TokenRequest request, CancellationToken cancel) =>
        PostAsync("tokens", request, ApiJson.Default.TokenRequest, ApiJson.Default.TokenCreated, cancel);

    public Task<IReadOnlyList<TokenStatus>> TokensAsync(CancellationToken cancel) => GetAsync("tokens", ApiJson.Default.Tokens, cancel);

    public Task RevokeTokenAsync(string id, CancellationToken cancel) => DeleteAsync("tokens/" + Uri.EscapeDataString(id), cancel);

    public Task<Operation> DrainAsync(string node, DrainRequest request, CancellationToken cancel) =>
        PostAsync($"nodes/{Uri.EscapeDataString(node)}/drain", request, ApiJson.Default.DrainRequest, ApiJson.Default.Operation, cancel);

    public Task<Operation> SecureAsync(SecureRequest request, CancellationToken cancel) =>
        PostAsync("secure", request, ApiJson.Default.SecureRequest, ApiJson.Default.Operation, cancel);

    public Task<Operation> RotateAsync(RotateRequest request, CancellationToken cancel) =>
        PostAsync("rotate", request, ApiJson.Default.RotateRequest, ApiJson.Default.Operation, cancel);

    public Task<RotatePlan> PlanRotationAsync(RotateRequest request, CancellationToken cancel) =>
        PostAsync("rotate/plan", request, ApiJson.Default.RotateRequest, ApiJson.Default.RotatePlan, cancel);

    public Task<Operation> RestoreAsync(RestoreRequest request, CancellationToken cancel) =>
        // It reads the whole archive before it answers.
        PostAsync("restore", request, ApiJson.Default.RestoreRequest, ApiJson.Default.Operation, cancel, s_wholeState);

    public Task<Operation> RecoverAsync(RecoverRequest request, CancellationToken cancel) =>
        PostAsync("recover", request, ApiJson.Default.RecoverRequest, ApiJson.Default.Operation, cancel);

    public Task<RecoverPlan> PlanRecoveryAsync(RecoverRequest request, CancellationToken cancel) =>
        PostAsync("recover/plan", request, ApiJson.Default.RecoverRequest, ApiJson.Default.RecoverPlan, cancel);

    public async Task FindNodeAsync(string node, string address, CancellationToken cancel)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new AddressRequest(address), ApiJson.Default.AddressRequest);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"nodes/{Uri.EscapeDataString(node)}/address") { Content = new ByteArrayContent(body) };
        using var response = await SendAsync(request, s_deadline, cancel);
    }

    public Task RemoveNodeAsync(string node, CancellationToken cancel) => DeleteAsync("nodes/" + Uri.EscapeDataString(node), cancel);

    public Task<ProgramUsed> UseProgramAsync(string product, string? file, CancellationToken cancel) =>
        PostAsync("programs/" + Uri.EscapeDataString(product), new ProgramRequest(file), ApiJson.Default.ProgramRequest, ApiJson.Default.ProgramUsed, cancel);

    public Task<TimelineDocument> TimelineAsync(TimelineQuery query, CancellationToken cancel) =>
        PostAsync("timeline", query, TimelineJson.Default.TimelineQuery, TimelineJson.Default.TimelineDocument, cancel);

    /// <summary>Has no deadline: a drill takes as long as its state is large. The agent ends it when this call is cancelled.</summary>
    public Task<DrillReport> DrillAsync(DrillRequest request, CancellationToken cancel) =>
        PostAsync("drill", request, ApiJson.Default.DrillRequest, ApiJson.Default.DrillReport, cancel, Timeout.InfiniteTimeSpan);

    public Task<AcceptPlan> PlanAcceptStateAsync(CancellationToken cancel) => GetAsync("recover/accept-state", ApiJson.Default.AcceptPlan, cancel);

    public async Task AcceptStateAsync(AcceptRequest accept, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "recover/accept-state") { Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(accept, ApiJson.Default.AcceptRequest)) };
        using var response = await SendAsync(request, s_deadline, cancel);
    }

    public Task<CredentialsMade> MakeCredentialsAsync(CredentialsRequest request, CancellationToken cancel) =>
        PostAsync("credentials", request, ApiJson.Default.CredentialsRequest, ApiJson.Default.CredentialsMade, cancel);

    public Task<Endpoints> EndpointsAsync(CancellationToken cancel) => GetAsync("endpoints", ApiJson.Default.Endpoints, cancel);

    public Task<IReadOnlyList<SnapshotInfo>> SnapshotsAsync(CancellationToken cancel) => GetAsync("snapshots", ApiJson.Default.Snapshots, cancel);

    public Task<Operation> SaveSnapshotAsync(CancellationToken cancel) => PostAsync("snapshots", new SnapshotRequest(), ApiJson.Default.SnapshotRequest, ApiJson.Default.Operation, cancel);

    public Task<SnapshotInfo> InspectSnapshotAsync(string of, CancellationToken cancel) =>
        PostAsync("snapshots/inspect", new SnapshotRequest(of), ApiJson.Default.SnapshotRequest, ApiJson.Default.SnapshotInfo, cancel, s_wholeState);

    public Task<Operation> VerifySnapshotAsync(string of, CancellationToken cancel) =>
        PostAsync("snapshots/verify", new SnapshotRequest(of), ApiJson.Default.SnapshotRequest, ApiJson.Default.Operation, cancel);

    public Task<RestorePlan> PlanRestoreAsync(string of, CancellationToken cancel) =>
        PostAsync("snapshots/plan", new SnapshotRequest(of), ApiJson.Default.SnapshotRequest, ApiJson.Default.RestorePlan, cancel, s_wholeState);

    public Task<Operation> RestoreSnapshotAsync(string of, bool consent, CancellationToken cancel) =>
        PostAsync("snapshots/restore", new SnapshotRequest(of, consent), ApiJson.Default.SnapshotRequest, ApiJson.Default.Operation, cancel, s_wholeState);

    public Task<PruneResult> PruneSnapshotsAsync(bool dryRun, CancellationToken cancel) =>
        PostAsync("snapshots/prune", new PruneRequest(dryRun), ApiJson.Default.PruneRequest, ApiJson.Default.PruneResult, cancel);

    public Task<SnapshotPolicyStatus> SnapshotPolicyAsync(SnapshotPolicyRequest request, CancellationToken cancel) =>
        PostAsync("snapshots/policy", request, ApiJson.Default.SnapshotPolicyRequest, ApiJson.Default.SnapshotPolicyStatus, cancel);

    public Task<RecoveryKeyShown> RecoveryKeyAsync(CancellationToken cancel) => PostAsync("snapshots/key", new SnapshotRequest(), ApiJson.Default.SnapshotRequest, ApiJson.Default.RecoveryKeyShown, cancel);

    public Task<KitMade> MakeKitAsync(string passphrase, CancellationToken cancel) => PostAsync("kit", new KitRequest(passphrase), ApiJson.Default.KitRequest, ApiJson.Default.KitMade, cancel);

    /// <summary>The status as metrics, in Prometheus's text format.</summary>
    public async Task<string> MetricsAsync(CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "metrics");
        using var response = await SendAsync(request, s_deadline, cancel);
        return await response.Content.ReadAsStringAsync(cancel);
    }

    /// <summary>Stops every process of the node, then the agent. Has no deadline. If the agent goes away meanwhile, that is success.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        // With a body: .NET repeats a request that has none when the connection breaks.
        using var request = new HttpRequestMessage(HttpMethod.Post, "stop") { Content = new ByteArrayContent("{}"u8.ToArray()) };
        try
        {
            using var response = await SendAsync(request, Timeout.InfiniteTimeSpan, cancel);
        }
        catch (ProblemException e) when (e.InnerException is HttpRequestException { HttpRequestError: not HttpRequestError.ConnectionError })
        {
            // The connection existed and broke: the agent has stopped, as asked.
        }
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_paths.AgentSocket), cancel);
            var peer = PeerOf(socket);
            // Before a word is said: what answers could be anybody's, and some of what we say is secret.
            if (!peer.MayBeTrusted) throw new ProblemException(SocketProblems.NotOurs(_paths.AgentSocket, peer));
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> json, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var response = await SendAsync(request, s_deadline, cancel);
        return Read(response, json);
    }

    private async Task<TAnswer> PostAsync<TBody, TAnswer>(string path, TBody body, JsonTypeInfo<TBody> bodyJson, JsonTypeInfo<TAnswer> json, CancellationToken cancel, TimeSpan? deadline = null)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyJson));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        using var response = await SendAsync(request, deadline ?? s_deadline, cancel);
        return Read(response, json);
    }

    private async Task DeleteAsync(string path, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        using var response = await SendAsync(request, s_deadline, cancel);
    }

    /// <summary>The whole successful answer, body included. Anything else is thrown as a problem.</summary>
    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan deadline, CancellationToken cancel)
    {
        using var timer = new CancellationTokenSource(deadline, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timer.Token);
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseContentRead, both.Token);
        }
        catch (HttpRequestException e) when (e.InnerException is ProblemException)
        {
            throw e.InnerException;
        }
        catch (HttpRequestException e)
        {
            throw new ProblemException(AgentPresence.Unreachable(_paths, e), e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new ProblemException(ApiProblems.NotAnswering(_paths, deadline), e);
        }

        if (response.IsSuccessStatusCode) return response;
        using (response) throw new ProblemException(Refusal(response));
    }

    private Problem Refusal(HttpResponseMessage response)
    {
        if (response.Content.Headers.ContentType?.MediaType == AgentApi.ProblemJson) return Read(response, ApiJson.Default.Problem);
        return ApiProblems.AgentFailed(_paths, $"{response.RequestMessage?.Method} {response.RequestMessage?.RequestUri?.AbsolutePath}", (int)response.StatusCode);
    }

    private T Read<T>(HttpResponseMessage response, JsonTypeInfo<T> json)
    {
        using var body = response.Content.ReadAsStream();
        try
        {
            if (JsonSerializer.Deserialize(body, json) is { } value) return value;
        }
        catch (JsonException e)
        {
            throw new ProblemException(ApiProblems.ForeignAnswer(_paths), e);
        }

        throw new ProblemException(ApiProblems.ForeignAnswer(_paths));
    }
}
