// SPDX-License-Identifier: MPL-2.0
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Nomadstack.Tests.Cli;

/// <summary>The logs of tasks as Nomad streams them, and commands in tasks.</summary>
internal sealed class FakeTasks
{
    private readonly Dictionary<string, StringBuilder> _logs = [];

    /// <summary>Commands that were run, with what they were sent.</summary>
    public List<string> Ran { get; } = [];

    /// <summary>Completes when a terminal told its size: from then on it is lent.</summary>
    public TaskCompletionSource<string> Size { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How often a log was asked for.</summary>
    public int Asked { get; private set; }

    public void Write(string allocation, string task, string text, string type = "stdout")
    {
        lock (_logs)
        {
            var key = $"{allocation}/{task}/{type}";
            if (!_logs.TryGetValue(key, out var log)) _logs[key] = log = new();
            log.Append(text);
        }
    }

    public async Task<bool> AnswerAsync(HttpContext http)
    {
        var parts = http.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        switch (parts)
        {
            case ["v1", "client", "fs", "logs", var allocation]:
                await LogAsync(http, allocation);
                return true;
            case ["v1", "client", "allocation", var allocation, "exec"] when http.WebSockets.IsWebSocketRequest:
                await ExecAsync(http, allocation);
                return true;
            default:
                return false;
        }
    }

    private async Task LogAsync(HttpContext http, string allocation)
    {
        var query = http.Request.Query;
        var key = $"{allocation}/{query["task"]}/{query["type"]}";
        Asked++;
        if (Text(key) is not { } text)
        {
            http.Response.StatusCode = 404;
            await http.Response.WriteAsync($"task \"{query["task"]}\" not started yet. No logs available");
            return;
        }

        var offset = int.Parse(query["offset"]!, System.Globalization.CultureInfo.InvariantCulture);
        var at = query["origin"] == "end" ? Math.Max(0, text.Length - offset) : offset;
        do
        {
            text = Text(key)!;
            // In two pieces that end anywhere.
            var half = at + (text.Length - at) / 2;
            if (half > at) await SendAsync(text[at..half]);
            if (text.Length > half) await SendAsync(text[half..]);
            if (at == text.Length && query["follow"] == "true") await http.Response.WriteAsync("{}");
            at = text.Length;
            await http.Response.Body.FlushAsync();
            await Task.Delay(20);
        }
        while (query["follow"] == "true" && !http.RequestAborted.IsCancellationRequested);

        Task SendAsync(string piece) => http.Response.WriteAsync($$"""{"File":"alloc/logs/x","Offset":1,"Data":"{{Convert.ToBase64String(Encoding.UTF8.GetBytes(piece))}}"}""");
    }

    private string? Text(string key)
    {
        lock (_logs) return _logs.TryGetValue(key, out var log) ? log.ToString() : null;
    }

    /// <summary>A command that repeats its input in capitals and ends with code 7; one called <c>missing</c> cannot be run.</summary>
    private async Task ExecAsync(HttpContext http, string allocation)
    {
        using var socket = await http.WebSockets.AcceptWebSocketAsync();
        var command = http.Request.Query["command"].ToString();
        if (command.Contains("missing", StringComparison.Ordinal))
        {
            await socket.CloseAsync((WebSocketCloseStatus)4500, "exec: missing: not found", default);
            return;
        }

        var input = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), default);
            using var message = JsonDocument.Parse(buffer.AsMemory(0, got.Count));
            if (message.RootElement.TryGetProperty("tty_size", out var size)) Size.TrySetResult($"{size.GetProperty("width")}x{size.GetProperty("height")}");
            if (!message.RootElement.TryGetProperty("stdin", out var stdin)) continue;
            if (stdin.TryGetProperty("close", out _)) break;
            var text = Encoding.UTF8.GetString(stdin.GetProperty("data").GetBytesFromBase64());
            input.Append(text);
            // A terminal's input does not end, but this command does at a Ctrl-C.
            if (text.Contains('\u0003', StringComparison.Ordinal)) break;
        }

        lock (Ran) Ran.Add($"{allocation}/{http.Request.Query["task"]} tty={http.Request.Query["tty"]} {command} < {input}");
        await SayAsync($$$"""{"stdout":{"data":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(input.ToString().ToUpperInvariant()))}}}"}}""");
        await SayAsync($$$"""{"stderr":{"data":"{{{Convert.ToBase64String("a warning\n"u8)}}}"}}""");
        await SayAsync("""{"stdout":{"close":true}}""");
        await SayAsync("""{"exited":true,"result":{"exit_code":7}}""");
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", default);

        async Task SayAsync(string json) => await socket.SendAsync(Encoding.UTF8.GetBytes(json), WebSocketMessageType.Text, true, default);
    }
}
