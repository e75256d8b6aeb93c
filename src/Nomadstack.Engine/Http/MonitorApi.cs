// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>The agent's log as it is written: <c>nomad monitor</c>.</summary>
internal static class MonitorApi
{
    /// <summary>Nomad's buffer for a reader.</summary>
    private const int Waiting = 512;

    private static readonly TimeSpan s_heartbeat = TimeSpan.FromSeconds(10);

    public static async Task StreamAsync(ApiCall call)
    {
        var least = (call.Query("log_level") ?? "").ToUpperInvariant() switch
        {
            "" or "INFO" => LogLevel.Information,
            "TRACE" => LogLevel.Trace,
            "DEBUG" => LogLevel.Debug,
            "WARN" => LogLevel.Warning,
            "ERROR" => LogLevel.Error,
            var other => throw ServerException.Invalid($"Unknown log level: {other}"),
        };
        if (call.Flag("log_json")) throw ServerException.Invalid("log_json: the embedded engine writes its log as lines of text");
        if (call.Flag("log_include_location")) throw ServerException.Invalid("log_include_location: the embedded engine's log does not say where in its source a line was written");
        ThisAgent(call, "node_id", call.Agent.Client?.Agent.Node.ID ?? "");
        ThisAgent(call, "server_id", call.Agent.Server?.Config.MemberName ?? "");

        var plain = call.Flag("plain");
        var lines = Channel.CreateBounded<string>(new BoundedChannelOptions(Waiting) { FullMode = BoundedChannelFullMode.DropWrite });
        call.Agent.Log.Add(least, lines.Writer);
        try
        {
            call.Http.Response.ContentType = plain ? "text/plain" : "application/json";
            await call.Http.Response.Body.FlushAsync(call.Cancel);
            var frames = new FrameWriter(call.Http.Response.Body, plain);
            while (true)
            {
                using var quiet = new CancellationTokenSource(s_heartbeat, call.Agent.Time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(quiet.Token, call.Cancel);
                try
                {
                    await frames.DataAsync("", 0, Encoding.UTF8.GetBytes(await lines.Reader.ReadAsync(either.Token) + "\n"), call.Cancel);
                }
                catch (OperationCanceledException) when (!call.Cancel.IsCancellationRequested)
                {
                    await frames.HeartbeatAsync(call.Cancel);
                }
            }
        }
        finally
        {
            call.Agent.Log.Remove(lines.Writer);
        }
    }

    private static void ThisAgent(ApiCall call, string parameter, string id)
    {
        if (call.Query(parameter) is { Length: > 0 } asked && (id.Length == 0 || !id.StartsWith(asked, StringComparison.Ordinal)))
            throw ServerException.Invalid($"{parameter}: in the embedded engine an agent shows its own log alone; ask \"{asked}\" at its own address");
    }
}
