// SPDX-License-Identifier: MPL-2.0
using System.Net.WebSockets;
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Nomad;

/// <summary>A command that runs in a task: its input, its output and its exit code, in the messages of Nomad's <c>exec</c> (<c>api/allocations_exec.go</c>).</summary>
internal sealed class ExecSession(WebSocket socket, string allocation, Func<Problem> noAnswer) : IDisposable
{
    private readonly SemaphoreSlim _sending = new(1);

    public void Dispose()
    {
        socket.Dispose();
        _sending.Dispose();
    }

    public static Problem NotRun(string allocation, string why, string fix) => new("job/not-run", $"The command could not be run in allocation {allocation}.", why, fix);

    /// <summary>Passes on what is read until it ends. Nothing that was typed after the command's end is of use to anybody.</summary>
    public async Task SendInputAsync(Stream input, CancellationToken cancel)
    {
        var buffer = new byte[4096];
        while (await input.ReadAsync(buffer, cancel) is > 0 and var read) await SendAsync(new() { Stdin = new() { Data = buffer[..read] } }, cancel);
        await SendAsync(new() { Stdin = new() { Close = true } }, cancel);
    }

    public Task ResizeAsync(int width, int height, CancellationToken cancel) => SendAsync(new() { TtySize = new(height, width) }, cancel);

    /// <summary>Writes what the command writes, until it ends. Returns its exit code.</summary>
    /// <exception cref="ProblemException">It could not be run, or Nomad went away.</exception>
    public async Task<int> OutputAsync(Stream output, Stream error, CancellationToken cancel)
    {
        using var message = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            while (true)
            {
                var got = await socket.ReceiveAsync(buffer.AsMemory(), cancel);
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    var why = socket.CloseStatusDescription is { Length: > 0 } said ? said : "Nomad ended the connection and gave no reason.";
                    throw new ProblemException(NotRun(allocation, why, "See that the task runs and has this command: `nomadstack job status`."));
                }

                message.Write(buffer, 0, got.Count);
                if (!got.EndOfMessage) continue;
                var received = JsonSerializer.Deserialize(message.GetBuffer().AsSpan(0, (int)message.Length), ExecJson.Default.ExecMessage);
                message.SetLength(0);
                if (received?.Stdout?.Data is { } said1) await output.WriteAsync(said1, cancel);
                if (received?.Stderr?.Data is { } said2) await error.WriteAsync(said2, cancel);
                if (received is { Exited: true }) return received.Result?.ExitCode ?? 0;
            }
        }
        catch (WebSocketException e)
        {
            throw new ProblemException(noAnswer(), e);
        }
        catch (JsonException e)
        {
            throw new ProblemException(noAnswer(), e);
        }
    }

    private async Task SendAsync(ExecMessage message, CancellationToken cancel)
    {
        // One message at a time: input and the terminal's size come from two sides.
        await _sending.WaitAsync(cancel);
        try
        {
            await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message, ExecJson.Default.ExecMessage), WebSocketMessageType.Text, endOfMessage: true, cancel);
        }
        finally
        {
            _sending.Release();
        }
    }
}
