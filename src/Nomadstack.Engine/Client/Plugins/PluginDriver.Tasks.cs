// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
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
        var schema = await instance.Driver.TaskConfigSchemaAsync(new(), deadline: instance.Soon(s_call), cancellationToken: cancel);
        var capabilities = (await instance.Driver.CapabilitiesAsync(new(), deadline: instance.Soon(s_call), cancellationToken: cancel)).Capabilities ?? new();
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
                var started = await instance.Driver.StartTaskAsync(new() { Task = task.Config }, cancellationToken: cancel);
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
            var ended = await instance.Driver.WaitTaskAsync(new() { TaskId = taskId }, cancellationToken: cancel);
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
            return await instance.Driver.StopTaskAsync(new() { TaskId = taskId, Timeout = Duration.FromTimeSpan(timeout), Signal = signal }, cancellationToken: cancel);
        }, cancel);
    }

    public async Task DestroyTaskAsync(string taskId, bool force, CancellationToken cancel)
    {
        try
        {
            await OnInstanceAsync(async instance => await instance.Driver.DestroyTaskAsync(new() { TaskId = taskId, Force = force }, cancellationToken: cancel), cancel);
        }
        finally
        {
            await ForgetAsync(taskId);
        }
    }

    public Task SignalTaskAsync(string taskId, string signal, CancellationToken cancel) =>
        OnInstanceAsync(async instance => await instance.Driver.SignalTaskAsync(new() { TaskId = taskId, Signal = signal }, deadline: instance.Soon(s_call), cancellationToken: cancel), cancel);

    public async Task<TaskUsage?> TaskUsageAsync(string taskId, CancellationToken cancel)
    {
        if (!_tasks.ContainsKey(taskId)) return null;
        return await OnInstanceAsync(async instance =>
        {
            // One message of the stream is enough; letting go of the call ends it.
            using var call = instance.Driver.TaskStats(new() { TaskId = taskId, CollectionInterval = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) }, cancellationToken: cancel);
            if (!await call.ResponseStream.MoveNext(cancel)) return null;
            var stats = call.ResponseStream.Current.Stats;
            var usage = stats?.AggResourceUsage;
            return new TaskUsage(usage?.Cpu?.TotalTicks ?? 0, usage?.Cpu?.Percent ?? 0, (long)(usage?.Memory?.Rss ?? 0), stats?.Timestamp?.ToDateTimeOffset() ?? _time.GetUtcNow());
        }, cancel);
    }

    /// <summary>What the driver itself says of a task, for operators.</summary>
    public Task<InspectTaskResponse> InspectTaskAsync(string taskId, CancellationToken cancel) =>
        OnInstanceAsync(async instance => await instance.Driver.InspectTaskAsync(new() { TaskId = taskId }, deadline: instance.Soon(s_call), cancellationToken: cancel), cancel);

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
            catch (RpcException e)
            {
                cancel.ThrowIfCancellationRequested();
                if (!PluginChannel.IsSilence(e) || !await instance.IsGoneAsync(s_moment, cancel)) throw new DriverException(PluginChannel.Text(e), PluginChannel.IsRecoverable(e), e);
                await WithdrawnAsync(instance, cancel);
            }
            catch (ObjectDisposedException)
            {
                // It was given up between two of its calls.
                await WithdrawnAsync(instance, cancel);
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
