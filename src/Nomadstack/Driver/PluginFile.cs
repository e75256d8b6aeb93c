// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Driver;

/// <summary>
/// The executable in Nomad's plugin folder: two lines of sh that need no more than mkfifo and cat. Written so that Nomad, which launches
/// every executable it finds there, never meets half a file or a temporary one; left alone when it is right already.
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
                throw new ProblemException(new("driver/path", $"The path {path} cannot be used for the task driver.", "Nomad's plugin handshake is one line whose parts are separated by `|`.", "Choose a data folder whose path holds neither `|` nor a line break."));
        }

        var target = Path.Combine(pluginFolder, Name);
        var content = Encoding.UTF8.GetBytes(Script(lifelineFolder));
        try
        {
            DurableFolders.Create(pluginFolder);
            if (File.Exists(target) && File.ReadAllBytes(target).AsSpan().SequenceEqual(content) && File.GetUnixFileMode(target) == Executable) return;
            // Beside the plugin folder, not in it.
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
            throw new ProblemException(new("storage/unwritable", $"{target} could not be written.", e.Message, $"Free space on the disk or make {pluginFolder} writable; the agent tries again at its next start."), e);
        }
    }

    /// <summary>
    /// The pid survives <c>exec</c>, so the FIFO is named after the process that reads it. SIGINT is ignored because the plugin shares
    /// the terminal's process group with Nomad's client. A FIFO left behind by an earlier process of the same pid serves as well as a new one.
    /// </summary>
    internal static string Script(string lifelineFolder) =>
        $$"""
        #!/bin/sh
        trap '' INT; f='{{lifelineFolder.Replace("'", @"'\''", StringComparison.Ordinal)}}/'$$; { [ -p "$f" ] || mkfifo -m 600 "$f"; } && exec cat "$f"

        """;
}
