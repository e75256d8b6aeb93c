// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Preflight;

/// <summary>The file system a folder lives on.</summary>
internal sealed record Mount(string Point, string FileSystem, IReadOnlySet<string> Options)
{
    /// <summary>Its content is lost in a power cut.</summary>
    public bool InMemory => FileSystem is "tmpfs" or "ramfs";

    public bool NoExec => Options.Contains("noexec");

    public bool ReadOnly => Options.Contains("ro");

    /// <param name="folder">Absolute and without links.</param>
    /// <param name="mountinfo">Text of <c>/proc/self/mountinfo</c>.</param>
    public static Mount? Of(string folder, string mountinfo)
    {
        Mount? best = null;
        foreach (var line in mountinfo.Split('\n'))
        {
            // id parent major:minor root point options [tags…] - fstype source superoptions
            if (line.Split(" - ", 2) is not [var left, var right]) continue;
            var fields = left.Split(' ');
            var tail = right.Split(' ');
            if (fields.Length < 6 || tail.Length < 3) continue;
            var point = Unescape(fields[4]);
            // Of two mounts on one point the later one covers the earlier.
            if (Holds(point, folder) && point.Length >= (best?.Point.Length ?? 0))
                best = new(point, tail[0], fields[5].Split(',').Concat(tail[2].Split(',')).ToHashSet());
        }

        return best;
    }

    private static bool Holds(string point, string folder) =>
        point == "/" || folder == point || folder.StartsWith(point + "/", StringComparison.Ordinal);

    private static string Unescape(string text) =>
        text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal).Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);
}
