// SPDX-License-Identifier: MPL-2.0
using System.ComponentModel;
using System.Text.Json;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Nomad;

/// <summary>What the raft data of the embedded engine says. The engine's files are its own: it is asked, as <c>nomadstack engine raft DATA_DIR</c>.</summary>
internal static class EngineRaft
{
    /// <summary>The engine starts in a tenth of a second and reads some MiB; a cold disk may take a few seconds.</summary>
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(15);

    /// <summary>In characters. A server takes some 100.</summary>
    private const int MostOutput = 64 * 1024;

    public static async Task<RaftOnDisk> ReadAsync(ProductProgram engine, string dataFolder, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            var output = await ProgramOutput.OfAsync(engine.Path, engine.Arguments("raft", dataFolder), MostOutput, s_deadline, time, cancel);
            return output.ExitCode == 0 ? Parse(output.Out) : RaftOnDisk.Unreadable(output.Error.Trim().TrimStart('=', '>', ' '));
        }
        catch (Win32Exception e)
        {
            return RaftOnDisk.Unreadable($"{engine.Path} cannot be started: {e.Message}.");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return RaftOnDisk.Unreadable($"The engine did not read it within {s_deadline.TotalSeconds:0} s.");
        }
    }

    private static RaftPeer Peer(JsonElement server) =>
        new(server.GetProperty("id").GetString() ?? "", server.GetProperty("address").GetString() ?? "", server.GetProperty("voter").GetBoolean());

    private static RaftOnDisk Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var said = document.RootElement;
            var (term, last) = (said.GetProperty("term").GetInt64(), said.GetProperty("lastIndex").GetInt64());
            if (last == 0) return RaftOnDisk.Blank with { Term = term };
            List<RaftPeer> peers = [.. said.GetProperty("peers").EnumerateArray().Select(Peer)];
            return new(RaftDataState.Present, term, said.GetProperty("lastTerm").GetInt64(), last, said.GetProperty("peersIndex").GetInt64(), peers);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return RaftOnDisk.Unreadable($"The engine's answer cannot be understood: {e.Message.TrimEnd('.')}.");
        }
    }
}
