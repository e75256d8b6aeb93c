// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;

namespace Nomadstack.Storage;

/// <summary>
/// <c>retired/</c>: folders that are no longer used and may yet be wanted, above all the raft data of a server that left (I7).
/// Each carries the time it was retired in its name, and goes when it is old.
/// </summary>
internal static partial class Retirement
{
    /// <summary>Long enough to notice that something was lost, and to come back from a holiday.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    private const string Stamp = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>Moves a folder to <c>retired/LABEL-TIME</c>. One that is not there was moved before.</summary>
    public static void Retire(NodePaths paths, string folder, string label, DateTimeOffset now)
    {
        if (!Directory.Exists(folder)) return;
        DurableFolders.Create(paths.Retired, DurableFolders.OwnerOnly);
        var stamp = now.UtcDateTime.ToString(Stamp, CultureInfo.InvariantCulture);
        var target = Path.Combine(paths.Retired, $"{label}-{stamp}");
        for (var n = 2; Directory.Exists(target); n++) target = Path.Combine(paths.Retired, $"{label}-{n}-{stamp}");
        Directory.Move(folder, target);
        DurableFolders.Sync(paths.Retired, Path.GetDirectoryName(folder)!);
    }

    /// <summary>Removes what has been here for longer than <see cref="Kept"/>; returns what that was. A name without a time of ours is somebody else's and stays.</summary>
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
