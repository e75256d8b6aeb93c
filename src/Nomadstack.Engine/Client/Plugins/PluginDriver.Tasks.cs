// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Ground.Protocol;
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>The tasks of a plugin, whichever of its instances knows them.</summary>
internal sealed partial class PluginDriver
{
    private readonly ConcurrentDictionary<string, PluginTask> _tasks = new(StringComparer.Ordinal);

    public Task<DriverTerms> TermsAsync(CancellationToken cancel) => OnInstanceAsync(async instance =>
    {
        var schema = await instance.CallAsync(Driver + "TaskConfigSchema", new TaskConfigSchemaRequest(), TaskConfigSchemaResponse.Parser, s_call, cancel);
        var capabilities = (await instance.CallAsync(Driver + "Capabilities", new CapabilitiesRequest(), CapabilitiesResponse.Parser, s_call, cancel)).Capabilities ?? new();
        return new DriverTerms(
            schema.Spec ?? new Spec { Object = new() },
            Isolated: capabilities.FsIsolation != DriverCapabilities.Types.FSIsolation.None,
            HostEnvironment: capabilities.FsIsolation != DriverCapabilities.Types.FSIsolation.Image);
    }, cancel);

    public async Task<Drivers.TaskHandle> StartTaskAsync(Drivers.TaskConfig config, CancellationToken cancel)
    {
        var task = Hold(config);
        try
        {
            return await OnInstanceAsync(async instance =>
            {
                var started = await instance.Connection.CallAsync(Driver + "StartTask", new StartTaskRequest { Task = task.Config }, StartTaskResponse.Parser, cancel);
                (task.Handle, task.KnownTo) = (started.Handle ?? throw new DriverException("the driver gave no handle"), instance);
                return new Drivers.TaskHandle(config.Id, task.Handle.ToByteArray());
            }, cancel);
        }
        catch (DriverException)
        {
            await ForgetAsync(config.Id);
            throw;
        }
    }

    /// <summary>The protocol has no way to get a lost handle back; HashiCorp's client starts anew, too.</summary>
    public Task<Drivers.TaskHandle?> FindTaskAsync(Drivers.TaskConfig config, CancellationToken cancel) => Task.FromResult<Drivers.TaskHandle?>(null);

    public async Task RecoverTaskAsync(Drivers.TaskHandle handle, Drivers.TaskConfig config, CancellationToken cancel)
    {
        // The FIFOs' reader first: the driver may write as soon as it has the task back.
        var task = Hold(config);
        task.Handle = Ground.Protocol.TaskHandle.Parser.ParseFrom(handle.State);
        await OnInstanceAsync(async instance =>
        {
            await task.MakeKnownAsync(instance, cancel);
            return true;
        }, cancel);
    }

    public async Task<Drivers.ExitResult> WaitTaskAsync(string taskId, CancellationToken cancel)
    {
        var task = Get(taskId);
        return await OnInstanceAsync(async instance =>
        {
            await task.MakeKnownAsync(instance, cancel);
            var ended = await instance.Connection.CallAsync(Driver + "WaitTask", new WaitTaskRequest { TaskId = taskId }, WaitTaskResponse.Parser, cancel);
            var result = ended.Result ?? new();
            return new Drivers.ExitResult(result.ExitCode, result.Signal, result.OomKilled, ended.Err);
        }, cancel);
    }

    public async Task StopTaskAsync(string taskId, TimeSpan timeout, string signal, CancellationToken cancel)
    {
        if (!_tasks.TryGetValue(taskId, out var task)) return;
        await OnInstanceAsync(async instance =>
        {
            await task.MakeKnownAsync(instance, cancel);
            return await instance.Connection.CallAsync(Driver + "StopTask", new StopTaskRequest { TaskId = taskId, Timeout = Duration.FromTimeSpan(timeout), Signal = signal }, StopTaskResponse.Parser, cancel);
        }, cancel);
    }

    public async Task DestroyTaskAsync(string taskId, bool force, CancellationToken cancel)
    {
        try
        {
            await OnInstanceAsync(instance => instance.Connection.CallAsync(Driver + "DestroyTask", new DestroyTaskRequest { TaskId = taskId, Force = force }, DestroyTaskResponse.Parser, cancel), cancel);
        }
        finally
        {
            await ForgetAsync(taskId);
        }
    }

    public Task SignalTaskAsync(string taskId, string signal, CancellationToken cancel) =>
        OnInstanceAsync(instance => instance.CallAsync(Driver + "SignalTask", new SignalTaskRequest { TaskId = taskId, Signal = signal }, SignalTaskResponse.Parser, s_call, cancel), cancel);

    public async Task<TaskUsage?> TaskUsageAsync(string taskId, CancellationToken cancel)
    {
        if (!_tasks.ContainsKey(taskId)) return null;
        return await OnInstanceAsync(async instance =>
        {
            using var one = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            await foreach (var seen in instance.Connection.StreamAsync(Driver + "TaskStats", new TaskStatsRequest { TaskId = taskId, CollectionInterval = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) }, TaskStatsResponse.Parser, one.Token))
            {
                var usage = seen.Stats?.AggResourceUsage;
                return new TaskUsage(usage?.Cpu?.TotalTicks ?? 0, usage?.Cpu?.Percent ?? 0, (long)(usage?.Memory?.Rss ?? 0), seen.Stats?.Timestamp?.ToDateTimeOffset() ?? _time.GetUtcNow());
            }

            return null;
        }, cancel);
    }

    /// <summary>What the driver itself says of a task, for operators.</summary>
    public Task<InspectTaskResponse> InspectTaskAsync(string taskId, CancellationToken cancel) =>
        OnInstanceAsync(instance => instance.CallAsync(Driver + "InspectTask", new InspectTaskRequest { TaskId = taskId }, InspectTaskResponse.Parser, s_call, cancel), cancel);

    /// <summary>Calls the living instance, and again its successor when it dies meanwhile.</summary>
    /// <exception cref="DriverException">The plugin refused.</exception>
    private async Task<T> OnInstanceAsync<T>(Func<PluginInstance, Task<T>> call, CancellationToken cancel)
    {
        while (true)
        {
            Task<PluginInstance> next;
            lock (_gate) next = _instance.Task;
            var instance = await next.WaitAsync(cancel);
            try
            {
                return await call(instance);
            }
            catch (GrpcException e) when (e.Code is GrpcException.Unavailable or GrpcException.Cancelled)
            {
                if (!await instance.IsGoneAsync(s_moment, cancel)) throw new DriverException(e.Text, e.Recoverable, e);
                await WithdrawnAsync(instance, cancel);
            }
            catch (GrpcException e)
            {
                throw new DriverException(e.Text, e.Recoverable, e);
            }
        }
    }

    /// <summary>The keeper has seen the end as well, so that the next one is another.</summary>
    private async Task WithdrawnAsync(PluginInstance instance, CancellationToken cancel)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (!_instance.Task.IsCompleted || _instance.Task.Result != instance) return;
                changed = _fingerprintChanged.Task;
            }

            await changed.WaitAsync(cancel);
        }
    }

    private PluginTask Hold(Drivers.TaskConfig config) => _tasks.GetOrAdd(config.Id, _ => new PluginTask(config, _poller, _log));

    private PluginTask Get(string taskId) => _tasks.TryGetValue(taskId, out var task) ? task : throw new DriverException("task not found for given id");

    private async Task ForgetAsync(string taskId)
    {
        if (_tasks.TryRemove(taskId, out var task)) await task.DisposeAsync();
    }
}
