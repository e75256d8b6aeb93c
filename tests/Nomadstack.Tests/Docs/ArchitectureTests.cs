// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed partial class ArchitectureTests
{
    private static readonly string s_text = Repository.Read("ARCHITECTURE.md");

    [Theory]
    [InlineData("Parts and arrows")]
    [InlineData("The embedded engine")]
    public void ItsTablesShowEveryFolderInTheRowThatIsEnforced(string section)
    {
        var rows = section == "The embedded engine" ? Arrows.EngineRows : Arrows.ProductRows;
        var shown = from row in TableRow().Matches(Section(section))
                    from folder in Name().Matches(row.Groups[2].Value)
                    select (int.Parse(row.Groups[1].Value, CultureInfo.InvariantCulture), folder.Groups[1].Value);
        var enforced = rows.SelectMany((row, i) => row.Select(folder => (i + 1, folder)));

        shown.ShouldBe(enforced, ignoreOrder: true);
    }

    [Fact]
    public void EveryFolderItNamesExists() =>
        Name().Matches(Invariants() + Flows()).Select(m => m.Groups[1].Value).Distinct().Where(IsNoType).Except(Repository.Folders).ShouldBeEmpty();

    [Fact]
    public void EveryInvariantHasItsPlace() =>
        Enumerable.Range(1, 11).Where(i => !Regex.IsMatch(Invariants(), $@"^\| I{i} \| [^|]+ \| [^|]+ \|$", RegexOptions.Multiline)).ShouldBeEmpty();

    [Fact]
    public void ItStaysShort() => s_text.Split('\n').Length.ShouldBeLessThanOrEqualTo(150);

    [Fact]
    public void LinksOfTheDocumentsLeadToFiles()
    {
        string[] documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", .. Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)];
        var dead = from document in documents
                   let file = Path.Combine(Repository.Root, document)
                   from link in Link().Matches(File.ReadAllText(file))
                   let target = Path.Combine(Path.GetDirectoryName(file)!, link.Groups[1].Value)
                   where !File.Exists(target) && !Directory.Exists(target)
                   select $"{document}: {link.Groups[1].Value}";

        dead.ShouldBeEmpty();
    }

    private static string Invariants() => Section("Invariants");

    private static string Flows() => Section("Flows");

    private static string Section(string title) => s_text.Split("\n## ").Single(s => s.StartsWith(title, StringComparison.Ordinal));

    /// <summary>Types are named beside folders where a decision lives; whether they exist is told by their files.</summary>
    private static bool IsNoType(string name) => !Repository.Files().Any(f => Path.GetFileNameWithoutExtension(f.Path) == name) && name != "WaitFor";

    [GeneratedRegex(@"^\| (\d+) \| ([^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"`([A-Z][A-Za-z]+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"\]\((?!https?://|#)([^)#]+)")]
    private static partial Regex Link();
}
