// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;

namespace Nomadstack.Storage;

/// <summary>
/// <c>retired/</c>: folders that are no longer used but may still be needed, above all the raft data of a server that left (I7).
/// The name of each contains the time of its retirement. Old ones are deleted.
/// </summary>
internal static partial class Retirement
{
    /// <summary>Long enough to notice that something was lost, and to come back from a holiday.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    private const string Stamp = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>Moves a folder to <c>retired/LABEL-TIME</c>. If it does not exist, it was moved before.</summary>
    public static void Retire(NodePaths paths, string folder, string label, DateTimeOffset now)
    {
        if (!Directory.Exists(folder)) return;
        Directory.CreateDirectory(paths.Retired, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var stamp = now.UtcDateTime.ToString(Stamp, CultureInfo.InvariantCulture);
        var target = Path.Combine(paths.Retired, $"{label}-{stamp}");
        for (var n = 2; Directory.Exists(target); n++) target = Path.Combine(paths.Retired, $"{label}-{n}-{stamp}");
        Directory.Move(folder, target);
        DurableFolders.Sync(paths.Retired, Path.GetDirectoryName(folder)!);
    }

    /// <summary>Deletes folders older than <see cref="Kept"/> and returns their paths. A folder whose name has no such time is not ours and stays.</summary>
    public static IReadOnlyList<string> RemoveOld(NodePaths paths, DateTimeOffset now)
    {
        if (!Directory.Exists(paths.Retired)) return [];
        var old = Directory.EnumerateDirectories(paths.Retired).Where(folder => RetiredAt(Path.GetFileName(folder)) is { } at && now - at > Kept).ToList();
        foreach (var folder in old) Directory.Delete(folder, recursive: true);
        return old;
    }

    private static DateTimeOffset? RetiredAt(string name) =>
        AtEnd().Match(name) is { Success: true } found && DateTimeOffset.TryParseExact(found.Value, Stamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    [GeneratedRegex(@"\d{8}T\d{6}Z$", RegexOptions.CultureInvariant)]
    private static partial Regex AtEnd();
}
