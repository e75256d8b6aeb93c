// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Nomadstack.Ground.Protocol;
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>
/// A task driver plugin: a shell that says hello and stays, and behind its socket a server in this very process. A shell that is killed is a plugin that
/// crashed: the tasks live on, but the next one knows none until it is told.
/// </summary>
internal sealed class FakePlugin : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<ExitResult>> _tasks = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();

    private FakePlugin(WebApplication server) => _server = server;

    public ConcurrentQueue<string> Calls { get; } = new();

    public ConcurrentDictionary<string, TaskConfig> Started { get; } = new(StringComparer.Ordinal);

    public byte[] Config { get; private set; } = [];

    /// <summary>What StartTask says instead of starting.</summary>
    public (int Code, string Message, bool Recoverable)? Refusal { get; set; }

    /// <summary>A method that never answers.</summary>
    public string? Hangs { get; set; }

    /// <summary>Calls whose caller let go of them before their end.</summary>
    public ConcurrentQueue<string> LetGo { get; } = new();

    /// <summary>A crashed plugin's successor does not get its tasks back.</summary>
    public bool Amnesia { get; set; }

    public static async Task<FakePlugin> StartAsync(TempFolder temp, string name = "fake")
    {
        var socket = temp[name + ".sock"];
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.ListenUnixSocket(socket, l => l.Protocols = HttpProtocols.Http2));
        var server = builder.Build();
        var plugin = new FakePlugin(server);
        server.Run(plugin.HandleAsync);
        await server.StartAsync();
        Directory.CreateDirectory(temp["plugins"]);
        var file = Path.Combine(temp["plugins"], name);
        await File.WriteAllTextAsync(file, $"#!/bin/sh\n[ \"$NOMAD_PLUGIN_MAGIC_COOKIE\" = e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255 ] || exit 1\necho '1|2|unix|{socket}|grpc'\nexec sleep 1000\n");
        File.SetUnixFileMode(file, (UnixFileMode)493);
        return plugin;
    }

    /// <summary>Ends a task as if by itself.</summary>
    public void End(string taskId, int code) => _tasks[taskId].TrySetResult(new ExitResult { ExitCode = code });

    /// <summary>What a new process of the plugin remembers.</summary>
    public void ForgetTasks() => _known.Clear();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private async Task HandleAsync(HttpContext http)
    {
        var method = http.Request.Path.Value!.Split('/')[^1];
        Calls.Enqueue(method);
        http.Response.ContentType = "application/grpc";
        var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var message = body.ToArray()[5..];
        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stop.Token);
        try
        {
            await AnswerAsync(http, method, message, over.Token);
            http.Response.AppendTrailer("grpc-status", "0");
        }
        catch (RefusedException e)
        {
            http.Response.Headers["grpc-status"] = e.Code.ToString(System.Globalization.CultureInfo.InvariantCulture);
            http.Response.Headers["grpc-message"] = Uri.EscapeDataString(e.Message);
            if (e.Recoverable) http.Response.Headers["grpc-status-details-bin"] = Convert.ToBase64String(RecoverableStatus(e)).TrimEnd('=');
        }
        catch (OperationCanceledException)
        {
            // The client is gone, or the test is over.
            LetGo.Enqueue(method);
        }
    }

    private async Task AnswerAsync(HttpContext http, string method, byte[] message, CancellationToken over)
    {
        if (method == Hangs) await Task.Delay(Timeout.Infinite, over);
        switch (method)
        {
            case "PluginInfo":
                await WriteAsync(http, new PluginInfoResponse { Type = PluginType.Driver, Name = "fake", PluginVersion = "0.1.0", PluginApiVersions = { "v0.1.0" } });
                break;
            case "ConfigSchema":
                await WriteAsync(http, new ConfigSchemaResponse { Spec = Schema("greeting") });
                break;
            case "SetConfig":
                Config = SetConfigRequest.Parser.ParseFrom(message).MsgpackConfig.ToByteArray();
                await WriteAsync(http, new Ground.Protocol.Empty());
                break;
            case "TaskConfigSchema":
                await WriteAsync(http, new TaskConfigSchemaResponse { Spec = Schema("role") });
                break;
            case "Capabilities":
                await WriteAsync(http, new CapabilitiesResponse { Capabilities = new() { SendSignals = true } });
                break;
            case "Fingerprint":
                await WriteAsync(http, new FingerprintResponse { Health = FingerprintResponse.Types.HealthState.Healthy, HealthDescription = "ready", Attributes = { ["driver.fake.version"] = new() { StringVal = "0.1.0" } } });
                await Task.Delay(Timeout.Infinite, over);
                break;
            case "TaskEvents":
                await http.Response.BodyWriter.FlushAsync(over);
                await Task.Delay(Timeout.Infinite, over);
                break;
            case "StartTask":
                if (Refusal is var (code, text, recoverable)) throw new RefusedException(code, text, recoverable);
                var config = StartTaskRequest.Parser.ParseFrom(message).Task;
                Started[config.Id] = config;
                _tasks[config.Id] = new();
                _known[config.Id] = true;
                await File.WriteAllTextAsync(config.StdoutPath, "hello from a plugin\n", over);
                await WriteAsync(http, new StartTaskResponse { Handle = new() { Version = 1, Config = config, State = TaskState.Running, DriverState = ByteString.CopyFromUtf8("state") } });
                break;
            case "RecoverTask":
                var handle = RecoverTaskRequest.Parser.ParseFrom(message).Handle;
                if (Amnesia || handle.DriverState.ToStringUtf8() != "state") throw new RefusedException(5, "no such task", false);
                _known[handle.Config.Id] = true;
                await WriteAsync(http, new Ground.Protocol.Empty());
                break;
            case "WaitTask":
                var id = Known(WaitTaskRequest.Parser.ParseFrom(message).TaskId);
                await WriteAsync(http, new WaitTaskResponse { Result = await _tasks[id].Task.WaitAsync(over) });
                break;
            case "StopTask":
                _tasks[Known(StopTaskRequest.Parser.ParseFrom(message).TaskId)].TrySetResult(new ExitResult { ExitCode = 130, Signal = 2 });
                await WriteAsync(http, new Ground.Protocol.Empty());
                break;
            case "DestroyTask" or "SignalTask" or "Shutdown":
                await WriteAsync(http, new Ground.Protocol.Empty());
                break;
            case "TaskStats":
                await WriteAsync(http, new TaskStatsResponse { Stats = new() { Timestamp = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch), AggResourceUsage = new() { Memory = new() { Rss = 4096 } } } });
                await Task.Delay(Timeout.Infinite, over);
                break;
            case "InspectTask":
                await WriteAsync(http, new InspectTaskResponse { Task = new() { Id = Known(InspectTaskRequest.Parser.ParseFrom(message).TaskId), State = TaskState.Running } });
                break;
            default:
                throw new RefusedException(12, $"no method {method}", false);
        }
    }

    private string Known(string id) => _known.ContainsKey(id) ? id : throw new RefusedException(5, "task not found", false);

    private static Spec Schema(string name) => new() { Object = new() { Attributes = { [name] = new() { Attr = new() { Name = name, Type = "string" } } } } };

    private static byte[] RecoverableStatus(RefusedException e)
    {
        var status = new Status { Code = e.Code, Message = e.Message };
        status.Details.Add(new Any { TypeUrl = "type.googleapis.com/hashicorp.nomad.plugins.shared.structs.RecoverableError", Value = new RecoverableError { Recoverable = true }.ToByteString() });
        return status.ToByteArray();
    }

    private static async Task WriteAsync(HttpContext http, IMessage message)
    {
        var frame = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        message.WriteTo(frame.AsSpan(5));
        await http.Response.Body.WriteAsync(frame);
        await http.Response.Body.FlushAsync();
    }

    private sealed class RefusedException(int code, string message, bool recoverable) : Exception(message)
    {
        public int Code { get; } = code;

        public bool Recoverable { get; } = recoverable;
    }
}
