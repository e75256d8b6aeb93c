// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Driver;

/// <summary>
/// Keeps an allocation's log FIFO open while no agent runs. Nomad's log collector stops for good at the first end of file, and it would
/// see one whenever the agent restarts. A sleeping shell that outlives the agent prevents that. There is one per claim, and it is found again by the name
/// of its control FIFO, so no pids or records are needed.
/// </summary>
/// <param name="folder">The folder for control FIFOs.</param>
/// <param name="mark">An environment variable that identifies the keepers when this node is stopped.</param>
internal sealed class LogKeeper(string folder, KeyValuePair<string, string> mark, ServerClaim claim)
{
    /// <summary>Opens both FIFOs for reading and writing, which never blocks, and sleeps until a line arrives. The test is needed because <c>&lt;&gt;</c> creates a missing file.</summary>
    private const string Script = """
        trap '' INT HUP QUIT; exec </dev/null >/dev/null 2>&1; [ -p "$2" ] || exit; [ -p "$1" ] || mkfifo -m 600 "$1"; exec 3<>"$1" 4<>"$2"; read -r _ <&3
        """;

    // Not a number, so it is not taken for a lifeline.
    private readonly string _prefix = Path.Combine(folder, $"log-{claim.Role}-");

    private string Control => _prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(claim.TaskId)))[..12];

    /// <summary>Makes sure that <paramref name="fifo"/> is kept open, and ends keepers of earlier claims on the role that ended while no agent ran.</summary>
    public void Keep(string fifo)
    {
        foreach (var other in Directory.EnumerateFiles(folder, Path.GetFileName(_prefix) + "*"))
        {
            if (other != Control) End(other);
        }

        using var running = FifoWriter.OpenForReader(Control, out _);
        if (running is not null) return;
        using var process = Process.Start(new ProcessStartInfo("/bin/sh") { ArgumentList = { "-c", Script, "nomadstack-log", Control, fifo }, WorkingDirectory = "/", Environment = { [mark.Key] = mark.Value } });
    }

    /// <summary>Ends the log for the collector.</summary>
    public void Release() => End(Control);

    private static void End(string control)
    {
        using (var keeper = FifoWriter.OpenForReader(control, out _)) keeper?.TryWrite("\n"u8);
        File.Delete(control);
    }
}
