// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;

namespace Nomadstack.Tests.Docs;

/// <summary>Which folder may use which, and a reader of source text that finds what breaks it: by <c>using</c>, by full name, or by a partly qualified one.</summary>
internal sealed partial class Arrows
{
    /// <summary>A folder sees those of the rows above its own. Kept as ARCHITECTURE.md shows it.</summary>
    public static IReadOnlyList<string[]> Rows { get; } =
    [
        ["Cluster"],
        ["Storage"],
        ["Programs", "Products", "Processes", "Driver", "Peers", "Preflight", "Api"],
        ["Nomad", "Consul", "Operations", "Fetch", "Bundle", "Dev"],
        ["Servers", "Doctor"],
        ["ColdBoot"],
        ["Clients"],
        ["Bootstrap", "Health"],
        ["Node"],
        ["Cli"],
    ];

    /// <summary>Narrower than its row: a command knows what any other program could know, and what needs no daemon.</summary>
    private static readonly string[] s_seenByCli = ["Api", "Storage", "Cluster", "Fetch", "Bundle", "Doctor", "Dev"];

    /// <summary>Where the program becomes the daemon.</summary>
    public static IReadOnlyList<string> MayBecomeTheDaemon { get; } = ["Cli/Surroundings.cs", "Cli/Options/NodeOptions.cs", "Cli/UpCommand.cs"];

    private readonly HashSet<string> _types;

    /// <param name="files">All source files: what they declare tells <c>Servers.Count</c>, a property's, from <c>Servers.RaftView</c>, a folder's.</param>
    public Arrows(IEnumerable<(string Path, string Text)> files) =>
        _types = [.. files.SelectMany(f => Declaration().Matches(f.Text).Select(d => Folder(f.Path) + "." + d.Groups[1].Value))];

    /// <summary>What this file uses and may not, as <c>File -> Folder</c>.</summary>
    public IReadOnlyList<string> Broken(string path, string text) =>
        [.. Uses(text).Where(used => !May(path, used)).Select(used => $"{path} -> {used}")];

    public static bool May(string path, string used)
    {
        var from = Folder(path);
        if (from == used) return true;
        if (from == "Cli") return s_seenByCli.Contains(used) || (used == "Node" && MayBecomeTheDaemon.Contains(path));
        return Row(used) < Row(from);
    }

    /// <summary>Folders a text uses.</summary>
    public IReadOnlyList<string> Uses(string text)
    {
        var code = Comment().Replace(text, "");
        var used = Using().Matches(code).Select(m => m.Groups[1].Value)
            .Concat(FullName().Matches(code).Select(m => m.Groups[1].Value))
            .Concat(PartName().Matches(code).Where(m => _types.Contains(m.Value)).Select(m => m.Groups[1].Value));
        return [.. used.Where(f => Row(f) >= 0).Distinct().Order(StringComparer.Ordinal)];
    }

    private static int Row(string folder) => Rows.ToList().FindIndex(row => row.Contains(folder));

    private static string Folder(string path) => path.Split('/')[0];

    [GeneratedRegex(@"^[ \t]*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"^\s*(?:global\s+)?using\s+(?:static\s+)?(?:\w+\s*=\s*)?Nomadstack\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex Using();

    // Not the file's own namespace line.
    [GeneratedRegex(@"(?<![\w.""]|namespace )Nomadstack\.([A-Z]\w+)\.[A-Z]")]
    private static partial Regex FullName();

    [GeneratedRegex(@"(?<![\w.])([A-Z]\w+)\.[A-Z]\w+")]
    private static partial Regex PartName();

    [GeneratedRegex(@"^(?:internal|public|file)[\w\s]*?\s(?:class|struct|interface|enum|record(?:\s+struct|\s+class)?)\s+(\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
