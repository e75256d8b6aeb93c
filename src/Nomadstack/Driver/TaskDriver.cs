// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Driver;

/// <summary>
/// The <c>nomadstack</c> task driver: turns Nomad's task calls into claims on this node's servers. It never stops a server's process,
/// and every call may be repeated, since Nomad does so after each restart of its client, of the plugin, or of this agent.
/// </summary>
internal sealed partial class TaskDriver(IServerHost host, DriverHealth health, string keeperFolder, KeyValuePair<string, string> keeperMark, TimeProvider time, ILogger<TaskDriver> log) : IAsyncDisposable
{
    private const string Service = "/hashicorp.nomad.plugins.drivers.proto.Driver/";
    private const string NoExec = "A server's task has no exec: the process belongs to the node, not to the allocation. Use `nomadstack nomad` or `nomadstack consul` on the node.";
    private const int HandleVersion = 1;

    private readonly ConcurrentDictionary<string, HeldTask> _tasks = new(StringComparer.Ordinal);

    public void Register(GrpcEndpoints endpoints)
    {
        endpoints.Unary(Service + "Init", InitRequest.Parser, (_, _) => Task.FromResult(new InitResponse()));
        endpoints.Unary(Service + "Shutdown", ShutdownRequest.Parser, (_, _) => Task.FromResult(new ShutdownResponse()));
        endpoints.Unary(Service + "TaskConfigSchema", TaskConfigSchemaRequest.Parser, (_, _) => Task.FromResult(new TaskConfigSchemaResponse { Spec = DriverSchema.TaskConfig() }));
        endpoints.Unary(Service + "Capabilities", CapabilitiesRequest.Parser, (_, _) => Task.FromResult(Capabilities()));
        endpoints.Unary(Service + "StartTask", StartTaskRequest.Parser, StartTaskAsync);
        endpoints.Unary(Service + "RecoverTask", RecoverTaskRequest.Parser, RecoverTaskAsync);
        endpoints.Unary(Service + "WaitTask", WaitTaskRequest.Parser, WaitTaskAsync);
        endpoints.Unary(Service + "StopTask", StopTaskRequest.Parser, StopTaskAsync);
        endpoints.Unary(Service + "DestroyTask", DestroyTaskRequest.Parser, DestroyTaskAsync);
        endpoints.Unary(Service + "InspectTask", InspectTaskRequest.Parser, (request, _) => Task.FromResult(InspectTask(request)));
        endpoints.Unary(Service + "SignalTask", SignalTaskRequest.Parser, (request, _) => Task.FromResult(SignalTask(request)));
        endpoints.Unary<ExecTaskRequest, ExecTaskResponse>(Service + "ExecTask", ExecTaskRequest.Parser, (_, _) => throw new GrpcException(GrpcCode.Unimplemented, NoExec));
        endpoints.Bidirectional(Service + "ExecTaskStreaming", _ => throw new GrpcException(GrpcCode.Unimplemented, NoExec));
        endpoints.ServerStream(Service + "Fingerprint", FingerprintRequest.Parser, FingerprintAsync);
        endpoints.ServerStream(Service + "TaskStats", TaskStatsRequest.Parser, TaskStatsAsync);
        endpoints.ServerStream(Service + "TaskEvents", TaskEventsRequest.Parser, TaskEventsAsync);
        // CreateNetwork and DestroyNetwork are never called for a driver that offers the host's network alone; unknown methods are UNIMPLEMENTED.
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var task in _tasks.Values) await task.DisposeAsync();
    }

    private static CapabilitiesResponse Capabilities() => new()
    {
        Capabilities = new()
        {
            SendSignals = true,
            Exec = false,
            FsIsolation = DriverCapabilities.Types.FSIsolation.None,
            NetworkIsolationModes = { NetworkIsolationSpec.Types.NetworkIsolationMode.Host },
            MountConfigs = DriverCapabilities.Types.MountConfigs.NoMounts,
        },
    };

    private async Task<StartTaskResponse> StartTaskAsync(StartTaskRequest request, GrpcCall call)
    {
        var config = request.Task ?? throw new GrpcException(GrpcCode.InvalidArgument, "StartTask without a task.");
        var wanted = ServerRequest.Decode(config.MsgpackDriverConfig.Span);
        var startedAt = time.GetUtcNow();
        try
        {
            await ClaimAsync(config, wanted, startedAt, call.Cancel);
        }
        catch (ProblemException e) when (e.Problem is { Unsafe: false, Lasting: false })
        {
            // Without this detail Nomad would fail the task for good and never ask its restart policy.
            throw new GrpcException(GrpcCode.FailedPrecondition, e.Message, new("hashicorp.nomad.plugins.shared.structs.RecoverableError", new RecoverableError { Recoverable = true }), e);
        }

        var state = new DriverState { Role = wanted.Role, Version = wanted.Version, StartedAt = startedAt };
        return new()
        {
            Handle = new() { Version = HandleVersion, Config = config, State = TaskState.Running, DriverState = UnsafeByteOperations.UnsafeWrap(state.ToBytes()) },
        };
    }

    /// <summary>Nomad asks this after each restart, before it knows any server; the answer depends on this node alone.</summary>
    private async Task<RecoverTaskResponse> RecoverTaskAsync(RecoverTaskRequest request, GrpcCall call)
    {
        var handle = request.Handle ?? throw new GrpcException(GrpcCode.InvalidArgument, "RecoverTask without a handle.");
        if (handle.Config?.Id is not { Length: > 0 }) throw new GrpcException(GrpcCode.InvalidArgument, "RecoverTask with a handle that names no task.");
        var state = DriverState.FromBytes(handle.DriverState.Span);
        // A claim that ended in this agent's life is not taken again: a newer one may hold the server. WaitTask tells Nomad of the end.
        if (_tasks.TryGetValue(handle.Config.Id, out var known) && known.Ended.IsCompleted) return new();
        await ClaimAsync(handle.Config, ServerRequest.Checked(state.Role, state.Version), state.StartedAt, call.Cancel);
        return new();
    }

    private async Task ClaimAsync(TaskConfig config, ServerRequest wanted, DateTimeOffset startedAt, CancellationToken cancel)
    {
        // Nomad tells the job's id only since 1.3.12; before, the name is the nearest.
        var job = config.JobId is { Length: > 0 } id ? id : config.JobName;
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
            // The same call came twice at once; the other one watches.
            await held.DisposeAsync();
        }
    }

    private async Task<WaitTaskResponse> WaitTaskAsync(WaitTaskRequest request, GrpcCall call)
    {
        if (_tasks.TryGetValue(request.TaskId, out var held)) await held.Ended.WaitAsync(call.Cancel);
        else if (host.Holds(request.TaskId)) await host.ReleasedAsync(request.TaskId, call.Cancel);
        else throw NotFound(request.TaskId);
        return new() { Result = new() };
    }

    private async Task<StopTaskResponse> StopTaskAsync(StopTaskRequest request, GrpcCall call)
    {
        await host.ReleaseAsync(request.TaskId, call.Cancel);
        LogReleased(request.TaskId);
        return new();
    }

    private async Task<DestroyTaskResponse> DestroyTaskAsync(DestroyTaskRequest request, GrpcCall call)
    {
        await host.ReleaseAsync(request.TaskId, call.Cancel);
        if (!_tasks.TryGetValue(request.TaskId, out var held)) return new();
        // A WaitTask that is still open hears of the end before the task is forgotten.
        await held.Ended.WaitAsync(call.Cancel);
        if (_tasks.TryRemove(new(request.TaskId, held))) await held.DisposeAsync();
        return new();
    }

    private InspectTaskResponse InspectTask(InspectTaskRequest request)
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
        return response;
    }

    private SignalTaskResponse SignalTask(SignalTaskRequest request)
    {
        var held = Find(request.TaskId);
        if (held.Ended.IsCompleted) throw new GrpcException(GrpcCode.FailedPrecondition, $"The task {request.TaskId} has ended; its server is no longer its own.");
        var number = SignalNames.Number(request.Signal.ToUpperInvariant()) ?? throw new GrpcException(GrpcCode.InvalidArgument, $"There is no signal \"{request.Signal}\". Name one as `SIGHUP`.");
        host.Signal(held.Claim.Role, number);
        return new();
    }

    private HeldTask Find(string taskId) => _tasks.TryGetValue(taskId, out var held) ? held : throw NotFound(taskId);

    private static GrpcException NotFound(string taskId) => new(GrpcCode.NotFound, $"task not found: {taskId}");

    [LoggerMessage(Level = LogLevel.Information, Message = "Task {TaskId} claims the {Role} server")]
    private partial void LogClaimed(string taskId, string role);

    [LoggerMessage(Level = LogLevel.Information, Message = "Task {TaskId} releases its server")]
    private partial void LogReleased(string taskId);
}
