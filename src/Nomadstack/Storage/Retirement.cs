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

    /// <summary>As many of a kind stay whatever their age: a clock that jumped a month ahead must not take all there is.</summary>
    public const int KeptOfAKind = 2;

    private const string Stamp = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>errno of rename(2) between two file systems, and of a folder that is a mount point.</summary>
    private const int EXDEV = 18, EBUSY = 16;

    /// <summary>Moves a folder to <c>retired/LABEL-TIME</c>, by copying where it is on another file system. One that is not there, or is empty, was moved before.</summary>
    /// <exception cref="IOException">The disk refused; the folder is still there, whole or in part, and the call may be repeated.</exception>
    public static void Retire(NodePaths paths, string folder, string label, DateTimeOffset now)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any()) return;
        DurableFolders.Create(paths.Retired, DurableFolders.OwnerOnly);
        var stamp = now.UtcDateTime.ToString(Stamp, CultureInfo.InvariantCulture);
        var target = Path.Combine(paths.Retired, $"{label}-{stamp}");
        for (var n = 2; Directory.Exists(target); n++) target = Path.Combine(paths.Retired, $"{label}-{n}-{stamp}");
        try
        {
            Directory.Move(folder, target);
        }
        catch (IOException e) when (e.HResult is EXDEV or EBUSY)
        {
            MoveAcross(folder, target);
        }

        DurableFolders.Sync(paths.Retired, Path.GetDirectoryName(folder)!);
    }

    /// <summary>
    /// Removes what has been here for longer than <see cref="Kept"/>, but for the newest of each kind; returns what that was.
    /// A name without a time of ours is somebody else's and stays.
    /// </summary>
    public static IReadOnlyList<string> RemoveOld(NodePaths paths, DateTimeOffset now)
    {
        if (!Directory.Exists(paths.Retired)) return [];
        var all = from folder in Directory.EnumerateDirectories(paths.Retired)
                  let at = RetiredAt(Path.GetFileName(folder))
                  where at is not null
                  orderby at descending
                  group (Path: folder, At: at.Value) by Kind().Match(Path.GetFileName(folder)).Value;
        var old = all.SelectMany(kind => kind.Skip(KeptOfAKind)).Where(folder => now - folder.At > Kept).Select(folder => folder.Path).ToList();
        foreach (var folder in old) Directory.Delete(folder, recursive: true);
        return old;
    }

    /// <summary>
    /// The copy is whole and durable, under its name, before anything of the original goes. The original's own files, the server's record among them, go last:
    /// a start in between finds that record, and what was intended is done again.
    /// </summary>
    private static void MoveAcross(string folder, string target)
    {
        var part = target + ".part";
        if (Directory.Exists(part)) Directory.Delete(part, recursive: true);
        DurableFolders.Copy(folder, part);
        Directory.Move(part, target);
        DurableFolders.Sync(Path.GetDirectoryName(target)!);
        foreach (var inner in Directory.EnumerateDirectories(folder)) Directory.Delete(inner, recursive: true);
        DurableFolders.Sync(folder);
        foreach (var file in Directory.EnumerateFiles(folder)) File.Delete(file);
        try
        {
            Directory.Delete(folder);
        }
        catch (IOException e) when (e.HResult is EBUSY)
        {
            // It is a mount point: it stays, empty.
        }
    }

    private static DateTimeOffset? RetiredAt(string name) =>
        AtEnd().Match(name) is { Success: true } found && DateTimeOffset.TryParseExact(found.Value, Stamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    /// <summary>What it was, without whose it was and when: <c>nomad-server</c>.</summary>
    [GeneratedRegex("^[a-z]+(-(server|bootstrap|client))?", RegexOptions.CultureInvariant)]
    private static partial Regex Kind();

    [GeneratedRegex(@"\d{8}T\d{6}Z$", RegexOptions.CultureInvariant)]
    private static partial Regex AtEnd();
}
