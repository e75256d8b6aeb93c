// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>
/// The <c>nomadstack</c> task driver: turns Nomad's task calls into claims on this node's servers. It never stops a server's process,
/// and every call may be repeated, since Nomad does so after each restart of its client, of the plugin, or of this agent.
/// </summary>
internal sealed partial class TaskDriver(IServerHost host, DriverHealth health, string keeperFolder, KeyValuePair<string, string> keeperMark, TimeProvider time, ILogger<TaskDriver> log) : Ground.Protocol.Driver.DriverBase, IAsyncDisposable
{
    private const string NoExec = "There is no exec in a server's task, because the process belongs to the node and not to the allocation. Use `nomadstack nomad` or `nomadstack consul` on the node.";
    private const int HandleVersion = 1;

    private readonly ConcurrentDictionary<string, HeldTask> _tasks = new(StringComparer.Ordinal);

    private int _waits;

    /// <summary>Calls of WaitTask that are open: each of them is told of its task's end, whatever becomes of the task.</summary>
    public int Waits => Volatile.Read(ref _waits);

    public override Task<InitResponse> Init(InitRequest request, ServerCallContext context) => Task.FromResult(new InitResponse());

    public override Task<ShutdownResponse> Shutdown(ShutdownRequest request, ServerCallContext context) => Task.FromResult(new ShutdownResponse());

    public override Task<TaskConfigSchemaResponse> TaskConfigSchema(TaskConfigSchemaRequest request, ServerCallContext context) =>
        Task.FromResult(new TaskConfigSchemaResponse { Spec = DriverSchema.TaskConfig() });

    public override Task<CapabilitiesResponse> Capabilities(CapabilitiesRequest request, ServerCallContext context) => Task.FromResult(new CapabilitiesResponse
    {
        Capabilities = new()
        {
            SendSignals = true,
            Exec = false,
            FsIsolation = DriverCapabilities.Types.FSIsolation.None,
            NetworkIsolationModes = { NetworkIsolationSpec.Types.NetworkIsolationMode.Host },
            MountConfigs = DriverCapabilities.Types.MountConfigs.NoMounts,
        },
    });

    public async ValueTask DisposeAsync()
    {
        foreach (var task in _tasks.Values) await task.DisposeAsync();
    }

    public override async Task<StartTaskResponse> StartTask(StartTaskRequest request, ServerCallContext context)
    {
        var config = request.Task ?? throw Refused(StatusCode.InvalidArgument, "StartTask without a task.");
        var wanted = ServerRequest.Decode(config.MsgpackDriverConfig.Span, host.Roles);
        var startedAt = time.GetUtcNow();
        try
        {
            await ClaimAsync(config, wanted, startedAt, context.CancellationToken);
        }
        catch (ProblemException e) when (e.Problem is { Unsafe: false, Lasting: false })
        {
            // Without this detail Nomad would fail the task for good and ignore its restart policy.
            throw Recoverable(e);
        }

        var state = new DriverState { Role = wanted.Role, Version = wanted.Version, StartedAt = startedAt };
        return new()
        {
            Handle = new() { Version = HandleVersion, Config = config, State = TaskState.Running, DriverState = UnsafeByteOperations.UnsafeWrap(state.ToBytes()) },
        };
    }

    /// <summary>Nomad calls this after each restart, before it knows any server. The answer depends only on this node.</summary>
    public override async Task<RecoverTaskResponse> RecoverTask(RecoverTaskRequest request, ServerCallContext context)
    {
        var handle = request.Handle ?? throw Refused(StatusCode.InvalidArgument, "RecoverTask without a handle.");
        if (handle.Config?.Id is not { Length: > 0 }) throw Refused(StatusCode.InvalidArgument, "RecoverTask with a handle that names no task.");
        var state = DriverState.FromBytes(handle.DriverState.Span);
        // A claim that ended while this agent runs is not taken again: a newer one may have the server. WaitTask tells Nomad of the end.
        if (_tasks.TryGetValue(handle.Config.Id, out var known) && known.Ended.IsCompleted) return new();
        // Nomad keeps the handles of allocations that ended long ago, and asks for each of them at every start of its client (seen on 1.1.2). What holds a server is in its record; whoever is
        // refused here and still wanted by the cluster is started anew once Nomad has asked its servers.
        if (!host.Holds(handle.Config.Id)) throw NotFound(handle.Config.Id);
        await ClaimAsync(handle.Config, ServerRequest.Checked(state.Role, state.Version, host.Roles), state.StartedAt, context.CancellationToken);
        return new();
    }

    private async Task ClaimAsync(TaskConfig config, ServerRequest wanted, DateTimeOffset startedAt, CancellationToken cancel)
    {
        // Nomad sends the job's id only since 1.3.12. Before that, the name is the closest to it.
        var job = config.JobId is { Length: > 0 } id ? id : config.JobName;
        if (config.Namespace is not ("" or "default")) job = $"{job} of namespace {config.Namespace}";
        var claim = new ServerClaim(config.Id, config.AllocId, config.Name, job, wanted.Role, wanted.Version);
        var logFrom = LogForwarder.EndOf(host.LogFile(wanted.Role));
        await host.ClaimAsync(claim, cancel);
        if (_tasks.TryGetValue(config.Id, out var known) && !known.Ended.IsCompleted) return;
        var held = new HeldTask(claim, config, startedAt, logFrom, new LogKeeper(keeperFolder, keeperMark, claim), host, time, log);
        if (known is not null ? _tasks.TryUpdate(config.Id, held, known) : _tasks.TryAdd(config.Id, held))
        {
            if (known is not null) await known.DisposeAsync();
            LogClaimed(config.Id, wanted.Role);
        }
        else
        {
            // The same call came twice at once. The other one watches.
            await held.DisposeAsync();
        }
    }

    public override async Task<WaitTaskResponse> WaitTask(WaitTaskRequest request, ServerCallContext context)
    {
        var end = _tasks.TryGetValue(request.TaskId, out var held) ? held.Ended
            : host.Holds(request.TaskId) ? host.ReleasedAsync(request.TaskId, context.CancellationToken)
            : throw NotFound(request.TaskId);
        Interlocked.Increment(ref _waits);
        try
        {
            await end.WaitAsync(context.CancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waits);
        }

        return new() { Result = new() };
    }

    public override async Task<StopTaskResponse> StopTask(StopTaskRequest request, ServerCallContext context)
    {
        await host.ReleaseAsync(request.TaskId, context.CancellationToken);
        LogReleased(request.TaskId);
        return new();
    }

    public override async Task<DestroyTaskResponse> DestroyTask(DestroyTaskRequest request, ServerCallContext context)
    {
        await host.ReleaseAsync(request.TaskId, context.CancellationToken);
        if (!_tasks.TryGetValue(request.TaskId, out var held)) return new();
        // An open WaitTask gets the end before the task is deleted.
        await held.Ended.WaitAsync(context.CancellationToken);
        if (_tasks.TryRemove(new(request.TaskId, held))) await held.DisposeAsync();
        return new();
    }

    public override Task<InspectTaskResponse> InspectTask(InspectTaskRequest request, ServerCallContext context)
    {
        var held = Find(request.TaskId);
        var ended = held.EndedAt;
        var response = new InspectTaskResponse
        {
            Task = new()
            {
                Id = held.Claim.TaskId,
                Name = held.Claim.TaskName,
                State = ended is null ? TaskState.Running : TaskState.Exited,
                StartedAt = held.StartedAt.ToTimestamp(),
                CompletedAt = ended?.ToTimestamp(),
                Result = ended is null ? null : new(),
            },
            Driver = new() { Attributes = { ["role"] = held.Claim.Role } },
        };
        if (ended is null && host.Pid(held.Claim.Role) is { } pid) response.Driver.Attributes["pid"] = pid.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return Task.FromResult(response);
    }

    public override Task<SignalTaskResponse> SignalTask(SignalTaskRequest request, ServerCallContext context)
    {
        var held = Find(request.TaskId);
        if (held.Ended.IsCompleted) throw Refused(StatusCode.FailedPrecondition, $"The task {request.TaskId} has ended and no longer has a server.");
        var number = SignalNames.Number(request.Signal.ToUpperInvariant()) ?? throw Refused(StatusCode.InvalidArgument, $"There is no signal \"{request.Signal}\". Write it like `SIGHUP`.");
        host.Signal(held.Claim.Role, number);
        return Task.FromResult(new SignalTaskResponse());
    }

    public override Task<ExecTaskResponse> ExecTask(ExecTaskRequest request, ServerCallContext context) => throw Refused(StatusCode.Unimplemented, NoExec);

    public override Task ExecTaskStreaming(IAsyncStreamReader<ExecTaskStreamingRequest> requestStream, IServerStreamWriter<ExecTaskStreamingResponse> responseStream, ServerCallContext context) => throw Refused(StatusCode.Unimplemented, NoExec);

    private HeldTask Find(string taskId) => _tasks.TryGetValue(taskId, out var held) ? held : throw NotFound(taskId);

    private static RpcException NotFound(string taskId) => Refused(StatusCode.NotFound, $"task not found: {taskId}");

    private static RpcException Refused(StatusCode code, string message) => new(new(code, message));

    /// <summary>The detail's full name is written by hand: to ask the message for it would need reflection.</summary>
    private static RpcException Recoverable(ProblemException problem)
    {
        var status = new Ground.Protocol.Status { Code = (int)StatusCode.FailedPrecondition, Message = problem.Message };
        status.Details.Add(new Any { TypeUrl = "type.googleapis.com/hashicorp.nomad.plugins.shared.structs.RecoverableError", Value = new RecoverableError { Recoverable = true }.ToByteString() });
        return new(new(StatusCode.FailedPrecondition, problem.Message, problem), new Metadata { { "grpc-status-details-bin", status.ToByteArray() } });
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Task {TaskId} claims the {Role} server")]
    private partial void LogClaimed(string taskId, string role);

    [LoggerMessage(Level = LogLevel.Information, Message = "Task {TaskId} releases its server")]
    private partial void LogReleased(string taskId);
}
