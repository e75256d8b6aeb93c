// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Driver;

/// <summary>
/// The executable in Nomad's plugin folder: two lines of sh that need only mkfifo and cat. Nomad launches
/// every executable there, so it is written so that Nomad never sees an incomplete or temporary file. If it is already right, it is not written.
/// </summary>
internal static class PluginFile
{
    public const string Name = "nomadstack";

    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <exception cref="ProblemException"><c>driver/path</c>, or <c>storage/unwritable</c>.</exception>
    public static void Write(string pluginFolder, string lifelineFolder, string driverSocket)
    {
        foreach (var path in (ReadOnlySpan<string>)[lifelineFolder, driverSocket])
        {
            if (path.AsSpan().IndexOfAny("|\n\r\0") >= 0)
            {
                throw new ProblemException(new(
                    "driver/path",
                    $"The path {path} cannot be used for the task driver.",
                    "Nomad's plugin handshake is one line with parts separated by `|`.",
                    "Choose a data folder whose path has neither `|` nor a line break."));
            }
        }

        var target = Path.Combine(pluginFolder, Name);
        var content = Encoding.UTF8.GetBytes(Script(lifelineFolder));
        try
        {
            DurableFolders.Create(pluginFolder);
            if (File.Exists(target) && File.ReadAllBytes(target).AsSpan().SequenceEqual(content) && File.GetUnixFileMode(target) == Executable) return;
            // Next to the plugin folder, not in it.
            var temp = Path.TrimEndingDirectorySeparator(pluginFolder) + ".tmp";
            File.Delete(temp);
            using (var stream = new FileStream(temp, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Executable }))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }

            File.SetUnixFileMode(temp, Executable);
            File.Move(temp, target, overwrite: true);
            DurableFolders.Sync(pluginFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("storage/unwritable", $"{target} could not be written.", e.Message, $"Free space on the disk or make {pluginFolder} writable. The agent tries again at its next start."), e);
        }
    }

    /// <summary>
    /// The pid survives <c>exec</c>, so the FIFO is named after the process that reads it. SIGINT is ignored, because the plugin is in the same
    /// process group of the terminal as Nomad's client. The FIFO of an earlier process with the same pid works as well as a new one.
    /// </summary>
    internal static string Script(string lifelineFolder) =>
        $$"""
        #!/bin/sh
        trap '' INT; f='{{lifelineFolder.Replace("'", @"'\''", StringComparison.Ordinal)}}/'$$; { [ -p "$f" ] || mkfifo -m 600 "$f"; } && exec cat "$f"

        """;
}
