// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Ground.Kernel;
using Nomadstack.Ground.Protocol;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>One running plugin process and the connection to it. A client that is killed leaves it behind, and the next one finds it by its record.</summary>
internal sealed partial class PluginInstance : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(60), s_shutdown = TimeSpan.FromSeconds(2);

    private readonly ProcessIdentity _identity;
    private readonly SafeFileHandle _held;
    private readonly CancellationTokenSource _stop = new();
    private readonly string _record;
    private readonly TimeProvider _time;
    private readonly GrpcChannel _channel;

    private PluginInstance(ProcessIdentity identity, SafeFileHandle held, EndPoint endpoint, string record, bool reattached, Poller poller, TimeProvider time)
    {
        (_identity, _held, _record, Reattached, _time) = (identity, held, record, reattached, time);
        _channel = PluginChannel.To(endpoint);
        (Base, Driver) = (new(_channel), new(_channel));
        Exited = poller.WhenReadableAsync(held, _stop.Token);
    }

    public BasePlugin.BasePluginClient Base { get; }

    public Driver.DriverClient Driver { get; }

    /// <summary>It was configured by the client before.</summary>
    public bool Reattached { get; }

    /// <summary>Completes when the process is gone, and is cancelled when it is let go of.</summary>
    public Task Exited { get; }

    public int Pid => _identity.Pid;

    /// <summary>The instance that a killed client left behind; null when it is gone or does not answer.</summary>
    public static async Task<PluginInstance?> ReattachAsync(string record, Poller poller, TimeProvider time, CancellationToken cancel)
    {
        if (!File.Exists(record)) return null;
        var known = ClientFile.Read(record, PluginJson.Default.PluginRecord, PluginRecord.CurrentVersion, r => r.Version);
        if (Proc.Hold(known.Process) is not { } held) return null;
        var instance = new PluginInstance(known.Process, held, PluginHandshake.Parse(known.Handshake), record, reattached: true, poller, time);
        try
        {
            await instance.Base.PluginInfoAsync(new(), deadline: instance.Soon(s_shutdown), cancellationToken: cancel);
            return instance;
        }
        catch (RpcException)
        {
            // Ours, since its start time is, but deaf: it makes way for another.
            await instance.DisposeAsync();
            cancel.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <exception cref="PluginException">It could not be started or did not say hello.</exception>
    public static async Task<PluginInstance> LaunchAsync(string file, IReadOnlyList<string> arguments, string record, Poller poller, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in PluginHandshake.Environment) start.Environment[name] = value;
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new PluginException($"{file} could not be started");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new PluginException($"{file} could not be started: {e.Message}", e);
        }

        _ = FollowAsync(process.StandardError, line => LogSaid(log, Path.GetFileName(file), line));
        var identity = Proc.Identify(process.Id);
        var held = identity is null ? null : Proc.Hold(identity);
        if (held is null) throw new PluginException($"{file} ended before it said hello");
        try
        {
            var line = await process.StandardOutput.ReadLineAsync(cancel).AsTask().WaitAsync(s_start, time, cancel) ?? throw new PluginException($"{file} ended before it said hello");
            var endpoint = PluginHandshake.Parse(line);
            // Whatever it prints from now on is nobody's, but a full pipe would block it.
            _ = FollowAsync(process.StandardOutput, _ => { });
            Directory.CreateDirectory(Path.GetDirectoryName(record)!);
            ClientFile.Write(record, JsonSerializer.SerializeToUtf8Bytes(new PluginRecord(PluginRecord.CurrentVersion, identity!, line), PluginJson.Default.PluginRecord));
            return new PluginInstance(identity!, held, endpoint, record, reattached: false, poller, time);
        }
        catch (Exception e)
        {
            Proc.Signal(identity!, SignalNames.SIGKILL);
            held.Dispose();
            if (e is TimeoutException) throw new PluginException($"{file} did not say hello within {s_start.TotalSeconds} s", e);
            throw;
        }
    }

    /// <summary>The deadline of a call that must be answered soon.</summary>
    public DateTime Soon(TimeSpan within) => _time.GetUtcNow().UtcDateTime + within;

    /// <summary>Whether it is gone, or is within a moment: a call that fails may be ahead of the process's end.</summary>
    public async Task<bool> IsGoneAsync(TimeSpan within, CancellationToken cancel)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await Task.WhenAny(Exited, Task.Delay(within, _time, over.Token));
        await over.CancelAsync();
        cancel.ThrowIfCancellationRequested();
        return Exited.IsCompleted;
    }

    /// <summary>Tells it to end, and ends it after two seconds. Its tasks are not its children's business.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await new GRPCController.GRPCControllerClient(_channel).ShutdownAsync(new(), deadline: Soon(s_shutdown));
        }
        catch (RpcException)
        {
            // Gone already, or it does not know the call; the wait tells.
        }

        if (!await IsGoneAsync(s_shutdown, CancellationToken.None)) Proc.Signal(_identity, SignalNames.SIGKILL);
        await _stop.CancelAsync();
        File.Delete(_record);
        _channel.Dispose();
        await Exited.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _held.Dispose();
        _stop.Dispose();
    }

    private static async Task FollowAsync(StreamReader reader, Action<string> take)
    {
        // Ends with the process; a broken pipe is an end as well.
        try
        {
            while (await reader.ReadLineAsync() is { } line) take(line);
        }
        catch (IOException)
        {
            return;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Plugin}: {Line}")]
    private static partial void LogSaid(ILogger log, string plugin, string line);
}

/// <summary>How to find a plugin process again.</summary>
internal sealed record PluginRecord(int Version, ProcessIdentity Process, string Handshake)
{
    public const int CurrentVersion = 1;
}

[JsonSerializable(typeof(PluginRecord))]
internal sealed partial class PluginJson : JsonSerializerContext;
