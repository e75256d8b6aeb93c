// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;

namespace Nomadstack.Tests.Docs;

/// <summary>
/// Which folder of a project may use which, and a reader of source text that finds what breaks it: by <c>using</c>, by full name, by a partly qualified
/// one, and, for the types right in the project's folder, by name.
/// </summary>
internal sealed partial class Arrows
{
    /// <summary>The program's folders. A folder sees those of the rows above its own. Kept as ARCHITECTURE.md shows it.</summary>
    public static IReadOnlyList<string[]> ProductRows { get; } =
    [
        ["Cluster"],
        ["Storage", "Life", "Timeline"],
        ["Programs", "Processes", "Driver", "Peers", "Preflight", "Api"],
        ["Security"],
        ["Products", "Operations", "Fetch", "Bundle", "Dev", "Relay", "Archives"],
        ["HashiCorp", "Servers", "Doctor"],
        ["Nomad", "Consul", "ColdBoot", "Securing", "Explain", "Drills", "Snapshots", "Recovery"],
        ["Clients"],
        ["Bootstrap", "Health"],
        ["Node"],
        ["Cli"],
    ];

    /// <summary>The same of the embedded engine.</summary>
    public static IReadOnlyList<string[]> EngineRows { get; } =
    [
        ["Raft", "Jobs"],
        ["State", "Configuration"],
        ["Scheduling", "Rpc", "Acl"],
        ["Client", "Server"],
        ["Http"],
    ];

    /// <summary>Narrower than its row: a command knows what any other program could know, and what needs no daemon.</summary>
    private static readonly string[] s_seenByCli = ["Api", "Storage", "Cluster", "Fetch", "Bundle", "Doctor", "Dev", "Relay", "Timeline", "Explain", "Archives"];

    /// <summary>Where the program becomes the daemon.</summary>
    public static IReadOnlyList<string> MayBecomeTheDaemon { get; } = ["Cli/Surroundings.cs", "Cli/Options/NodeOptions.cs", "Cli/UpCommand.cs"];

    /// <summary>Jobs are the scheduler's: the commands about them speak its API.</summary>
    public static bool SpeaksOfJobs(string path) => path.StartsWith("Cli/Job/", StringComparison.Ordinal);

    /// <summary>How <see cref="Uses"/> names the project's own folder, which sees all others and is seen by none.</summary>
    public const string TheRoot = "(root)";

    private readonly IReadOnlyList<string[]> _rows;
    private readonly HashSet<string> _qualified;
    private readonly HashSet<string> _rootTypes;
    private readonly Regex _using;
    private readonly Regex _fullName;

    /// <param name="root">The namespace of the project.</param>
    /// <param name="files">All source files: what they declare tells <c>Servers.Count</c>, a property's, from <c>Servers.RaftView</c>, a folder's.</param>
    public Arrows(string root, IReadOnlyList<string[]> rows, IEnumerable<(string Path, string Text)> files)
    {
        _rows = rows;
        var declared = files.SelectMany(f => Declaration().Matches(f.Text).Select(d => (f.Path, Type: d.Groups[1].Value))).ToList();
        _qualified = [.. declared.SelectMany(d => new[] { $"{Folder(d.Path)}.{d.Type}", d.Path.Split('/') is [var folder, var inner, _, ..] ? $"{folder}.{inner}" : "" })];
        // Without the entry point: nobody can use it, and its name is an everyday word.
        _rootTypes = [.. declared.Where(d => Folder(d.Path) == TheRoot && d.Path != "Program.cs").Select(d => d.Type)];
        var name = Regex.Escape(root);
        _using = new Regex($@"^\s*(?:global\s+)?using\s+(?:static\s+)?(?:\w+\s*=\s*)?{name}\.(\w+)", RegexOptions.Multiline);
        // Not the file's own namespace line.
        _fullName = new Regex($@"(?<![\w.""]|namespace ){name}\.([A-Z]\w+)\.[A-Z]");
    }

    /// <summary>What this file uses and may not, as <c>File -> Folder</c>.</summary>
    public IReadOnlyList<string> Broken(string path, string text) =>
        [.. Uses(text).Where(used => !May(path, used)).Select(used => $"{path} -> {used}")];

    public bool May(string path, string used)
    {
        var from = Folder(path);
        if (from == used || from == TheRoot) return true;
        if (from == "Cli") return s_seenByCli.Contains(used) || (used == "Node" && MayBecomeTheDaemon.Contains(path)) || (used == "Nomad" && SpeaksOfJobs(path));
        return used != TheRoot && Row(used) < Row(from);
    }

    /// <summary>Folders a text uses.</summary>
    public IReadOnlyList<string> Uses(string text)
    {
        var code = Comment().Replace(text, "");
        var folders = _using.Matches(code).Select(m => m.Groups[1].Value)
            .Concat(_fullName.Matches(code).Select(m => m.Groups[1].Value))
            .Concat(PartName().Matches(code).Where(m => _qualified.Contains(m.Groups[1].Value)).Select(m => m.Groups[1].Value.Split('.')[0]))
            .Where(f => Row(f) >= 0);
        var root = Word().Matches(code).Any(m => _rootTypes.Contains(m.Value)) ? [TheRoot] : Array.Empty<string>();
        return [.. folders.Concat(root).Distinct().Order(StringComparer.Ordinal)];
    }

    private int Row(string folder) => _rows.ToList().FindIndex(row => row.Contains(folder));

    private static string Folder(string path) => path.Contains('/') ? path.Split('/')[0] : TheRoot;

    [GeneratedRegex(@"^[ \t]*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    // A namespace may be shortened from the left: Server.Autopilot, and Engine.Server.Autopilot as well.
    [GeneratedRegex(@"(?<![\w.])(?:Engine\.)?([A-Z]\w+\.[A-Z]\w+)")]
    private static partial Regex PartName();

    [GeneratedRegex(@"(?<![\w.""])[A-Z]\w+")]
    private static partial Regex Word();

    [GeneratedRegex(@"^(?:internal|public|file)[\w\s]*?\s(?:class|struct|interface|enum|record(?:\s+struct|\s+class)?)\s+(\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
