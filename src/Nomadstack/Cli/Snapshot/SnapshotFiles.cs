// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Cli.Snapshot;

/// <summary>Files of snapshots, as a person names them.</summary>
internal static class SnapshotFiles
{
    /// <summary>What the agent, which has another working folder, understands: the absolute path of a file that is there, or the name as it is.</summary>
    public static string ForAgent(string of) => File.Exists(of) ? Path.GetFullPath(of) : of;

    /// <summary>Copies a file for its owner alone; under its name only when it is whole.</summary>
    public static async Task CopyAsync(string from, string to, CancellationToken cancel)
    {
        await using var source = File.OpenRead(from);
        await WriteAsync(to, file => source.CopyToAsync(file, cancel));
    }

    /// <summary>Writes a file for its owner alone; under its name only when it is whole.</summary>
    public static Task WriteAsync(string path, Func<Stream, Task> write) =>
        WholeFile.WriteAsync(Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFileName(path), async file =>
        {
            await write(file);
            return true;
        });

    /// <summary>The first line of a file, or of standard input for <c>-</c>.</summary>
    /// <exception cref="ProblemException"><c>snapshot/key-file</c>.</exception>
    public static string FirstLine(Surroundings here, string path, string option) =>
        Read(here, path, option, text => text.ReadLine()?.Trim()) is { Length: > 0 } line ? line
        : throw new ProblemException(new("snapshot/key-file", $"{path} is empty.", $"{option} names it.", "Put the key or passphrase into its first line."));

    /// <summary>All of a file, or of standard input for <c>-</c>.</summary>
    /// <exception cref="ProblemException"><c>snapshot/key-file</c>.</exception>
    public static string Whole(Surroundings here, string path, string option) => Read(here, path, option, text => text.ReadToEnd());

    private static T Read<T>(Surroundings here, string path, string option, Func<TextReader, T> read)
    {
        try
        {
            using var file = path == "-" ? null : File.OpenText(path);
            return read(file ?? here.In);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new("snapshot/key-file", $"{path} cannot be read.", e.Message, $"Name a file that you may read with {option}, or - for standard input."), e);
        }
    }
}
