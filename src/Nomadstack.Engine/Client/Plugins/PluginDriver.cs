// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>
/// A task driver in a process of its own. When that process dies it is launched again, and is given its tasks back before anybody hears of it: to the
/// task and to the client a plugin's crash is a pause.
/// </summary>
internal sealed partial class PluginDriver : ITaskDriver, IAsyncDisposable
{
    private const string ApiVersion = "v0.1.0";

    /// <summary>Of the ports that Nomad's own drivers use for helpers of theirs.</summary>
    private const uint MinPort = 14000, MaxPort = 14512;

    private static readonly TimeSpan s_call = TimeSpan.FromSeconds(10), s_moment = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1), s_longestPause = TimeSpan.FromMinutes(2);

    /// <summary>One that lived so long was no failed start: pauses begin anew, as with HashiCorp's client after one good fingerprint.</summary>
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(5);

    private readonly string _file, _record;
    private readonly PluginOptions _options;
    private readonly Poller _poller;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource<PluginInstance> _instance = New<PluginInstance>();
    private readonly TaskCompletionSource _firstFingerprint = New();
    private TaskCompletionSource _fingerprintChanged = New();
    private Task _keeping = Task.CompletedTask;

    private PluginDriver(string file, PluginOptions options, string recordFolder, Poller poller, TimeProvider time, ILogger log)
    {
        (_file, _options, _poller, _time, _log) = (file, options, poller, time, log);
        _record = Path.Combine(recordFolder, Path.GetFileName(file) + ".json");
        Fingerprint = new(false, false, "", new Dictionary<string, string>(), _fingerprintChanged.Task);
    }

    public string Name { get; private set; } = "";

    public string Version { get; private set; } = "";

    public DriverFingerprint Fingerprint { get; private set; }

    /// <summary>Completes when the plugin has told for the first time what it is.</summary>
    public Task FirstFingerprint => _firstFingerprint.Task;

    public Action<string, string, string>? Said { get; set; }

    /// <summary>The plugin's process; changes when it is launched again.</summary>
    public int Pid => _instance.Task.IsCompletedSuccessfully ? _instance.Task.Result.Pid : 0;

    /// <summary>Launches the plugin, or finds the one of the client before.</summary>
    /// <exception cref="PluginException">The file is no plugin that this client can use.</exception>
    public static async Task<PluginDriver> StartAsync(string file, PluginOptions options, string recordFolder, Poller poller, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var driver = new PluginDriver(file, options, recordFolder, poller, time, log);
        try
        {
            var first = await driver.ConnectAsync(cancel);
            driver._keeping = driver.KeepAsync(first);
            return driver;
        }
        catch (RpcException e)
        {
            cancel.ThrowIfCancellationRequested();
            throw new PluginException($"{file}: {PluginChannel.Text(e)}", e);
        }
    }

    /// <summary>Ends the plugin; its tasks run on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _keeping;
        foreach (var task in _tasks.Values) await task.DisposeAsync();
        if (_instance.Task.IsCompletedSuccessfully) await _instance.Task.Result.DisposeAsync();
        _stop.Dispose();
    }

    private async Task<PluginInstance> ConnectAsync(CancellationToken cancel)
    {
        var instance = await PluginInstance.ReattachAsync(_record, _poller, _time, cancel) ?? await PluginInstance.LaunchAsync(_file, _options.Args, _record, _poller, _time, _log, cancel);
        try
        {
            var about = await instance.Base.PluginInfoAsync(new(), deadline: instance.Soon(s_call), cancellationToken: cancel);
            if (about.Type != PluginType.Driver) throw new PluginException($"{_file} is no task driver");
            if (!about.PluginApiVersions.Contains(ApiVersion)) throw new PluginException($"{_file} speaks no API version that this client knows: {string.Join(", ", about.PluginApiVersions)}");
            (Name, Version) = (about.Name, about.PluginVersion);
            if (!instance.Reattached) await ConfigureAsync(instance, cancel);
            return instance;
        }
        catch
        {
            await instance.DisposeAsync();
            throw;
        }
    }

    private async Task ConfigureAsync(PluginInstance instance, CancellationToken cancel)
    {
        var schema = await instance.Base.ConfigSchemaAsync(new(), deadline: instance.Soon(s_call), cancellationToken: cancel);
        var request = new SetConfigRequest { PluginApiVersion = ApiVersion, NomadConfig = new() { Driver = new() { ClientMinPort = MinPort, ClientMaxPort = MaxPort } } };
        try
        {
            if (schema.Spec is { } spec) request.MsgpackConfig = ByteString.CopyFrom(MsgpackWriter.Write(ConfigDecoder.Decode(_options.Config, spec, t => t)));
        }
        catch (TaskConfigException e)
        {
            throw new PluginException($"the configuration of plugin {_file} does not fit: {e.Message}", e);
        }

        await instance.Base.SetConfigAsync(request, deadline: instance.Soon(s_call), cancellationToken: cancel);
    }

    /// <summary>Watches over one instance after another, until this driver ends. Should it fail itself, the node is without the driver, and its log says why.</summary>
    private async Task KeepAsync(PluginInstance? instance)
    {
        try
        {
            await KeepAllAsync(instance);
        }
        catch (Exception e)
        {
            LogKeeperFailed(e, Name);
            throw;
        }
    }

    private async Task KeepAllAsync(PluginInstance? instance)
    {
        var pause = TimeSpan.Zero;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                instance ??= await ConnectAsync(_stop.Token);
                var since = _time.GetTimestamp();
                Publish(instance);
                await WatchAsync(instance);
                if (_time.GetElapsedTime(since) > s_settled) pause = TimeSpan.Zero;
                LogGone(Name, instance.Pid);
            }
            catch (Exception e) when (e is PluginException or RpcException)
            {
                if (!_stop.IsCancellationRequested) LogNotStarted(_file, e is RpcException refused ? PluginChannel.Text(refused) : e.Message);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }

            if (_stop.IsCancellationRequested) return;
            Withdraw();
            if (instance is not null) await instance.DisposeAsync();
            instance = null;
            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // The first time at once: a plugin that lived long has earned it.
            pause = pause == TimeSpan.Zero ? s_firstPause : pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }

    /// <summary>Until the process is gone or its fingerprints end, which says the same.</summary>
    private async Task WatchAsync(PluginInstance instance)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        Task[] streams = [FingerprintsAsync(instance, over.Token), EventsAsync(instance, over.Token)];
        await Task.WhenAny(streams[0], instance.Exited);
        await over.CancelAsync();
        await Task.WhenAll(streams);
    }

    private async Task FingerprintsAsync(PluginInstance instance, CancellationToken cancel)
    {
        try
        {
            using var call = instance.Driver.Fingerprint(new(), cancellationToken: cancel);
            await foreach (var seen in call.ResponseStream.ReadAllAsync(cancel))
                Publish(seen.Health != FingerprintResponse.Types.HealthState.Undetected, seen.Health == FingerprintResponse.Types.HealthState.Healthy, seen.HealthDescription, seen.Attributes.ToDictionary(a => a.Key, a => Text(a.Value)));
        }
        catch (RpcException e)
        {
            LogStreamEnded("Fingerprint", Name, PluginChannel.Text(e));
        }
    }

    private async Task EventsAsync(PluginInstance instance, CancellationToken cancel)
    {
        try
        {
            using var call = instance.Driver.TaskEvents(new(), cancellationToken: cancel);
            await foreach (var said in call.ResponseStream.ReadAllAsync(cancel))
                Said?.Invoke(said.AllocId, said.TaskName, said.Message);
        }
        catch (RpcException e)
        {
            LogStreamEnded("TaskEvents", Name, PluginChannel.Text(e));
        }
    }

    private void Publish(PluginInstance instance)
    {
        lock (_gate) _instance.TrySetResult(instance);
    }

    private void Withdraw()
    {
        lock (_gate)
            if (_instance.Task.IsCompleted) _instance = New<PluginInstance>();
        Publish(Fingerprint.Detected, healthy: false, "failed to fingerprint driver", Fingerprint.Attributes);
    }

    private void Publish(bool detected, bool healthy, string description, IReadOnlyDictionary<string, string> attributes)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            (changed, _fingerprintChanged) = (_fingerprintChanged, New());
            Fingerprint = new(detected, healthy, description, attributes, _fingerprintChanged.Task);
        }

        changed.SetResult();
        _firstFingerprint.TrySetResult();
    }

    private static string Text(Ground.Protocol.Attribute attribute) => attribute.ValueCase switch
    {
        Ground.Protocol.Attribute.ValueOneofCase.FloatVal => attribute.FloatVal.ToString(CultureInfo.InvariantCulture) + attribute.Unit,
        Ground.Protocol.Attribute.ValueOneofCase.IntVal => attribute.IntVal.ToString(CultureInfo.InvariantCulture) + attribute.Unit,
        Ground.Protocol.Attribute.ValueOneofCase.BoolVal => attribute.BoolVal ? "true" : "false",
        _ => attribute.StringVal + attribute.Unit,
    };

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource<T> New<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Plugin {Name} (pid {Pid}) is gone; it is launched again and its tasks run on")]
    private partial void LogGone(string name, int pid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Nobody watches over plugin {Name} any more")]
    private partial void LogKeeperFailed(Exception e, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Plugin {File} cannot be launched: {Why}")]
    private partial void LogNotStarted(string file, string why);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Stream} of plugin {Name} ended: {Why}")]
    private partial void LogStreamEnded(string stream, string name, string why);
}
