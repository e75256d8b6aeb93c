// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

/// <summary>Flows loop over products and name none: a product is known by name in its own folder and in the table alone.</summary>
public sealed partial class ProductNamesTests
{
    /// <summary>Where a product may be named: its own folder, and what is Nomad's own protocol for task drivers.</summary>
    private static readonly string[] s_own = ["Nomad/", "Consul/", "Driver/"];

    /// <summary>Lines of code, the table's own among them.</summary>
    private const int Most = 20;

    [Fact]
    public void ProductsAreNamedInTheirFoldersAndInTheTable()
    {
        var named = Named(Repository.Files());

        named.Count.ShouldBeLessThanOrEqualTo(Most, string.Join('\n', named));
    }

    [Theory]
    [InlineData("var consul = 1;", true)]
    [InlineData("if (role == \"nomad\") return;", true)]
    [InlineData("await StartNomadAsync(cancel);", true)]
    [InlineData("// Nomad says so.", false)]
    [InlineData("var text = \"Nomad is at home\";", false)]
    [InlineData("using Nomadstack.Servers;", false)]
    [InlineData("var variable = \"NOMADSTACK_FAULT\";", false)]
    public void CodeThatNamesAProductIsSeenAndTextsForPeopleAreNot(string line, bool seen) =>
        Named([("Servers/Example.cs", line)]).Count.ShouldBe(seen ? 1 : 0);

    private static List<string> Named(IEnumerable<(string Path, string Text)> files) =>
        [.. from file in files
            where !s_own.Any(own => file.Path.StartsWith(own, StringComparison.Ordinal))
            from line in file.Text.Split('\n').Select((text, i) => (Text: text, Number: i + 1))
            where Name().IsMatch(Ours().Replace(Literal().Replace(Comment().Replace(line.Text, ""), literal => literal.Value.Contains(' ', StringComparison.Ordinal) ? "" : literal.Value), ""))
            select $"{file.Path}:{line.Number}: {line.Text.Trim()}"];

    [GeneratedRegex("nomad|consul|vault|openbao", RegexOptions.IgnoreCase)]
    private static partial Regex Name();

    [GeneratedRegex("nomadstack", RegexOptions.IgnoreCase)]
    private static partial Regex Ours();

    [GeneratedRegex(@"^\s*//.*$|\s//\s.*$")]
    private static partial Regex Comment();

    /// <summary>A string; with a space in it, it is a text for people.</summary>
    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Literal();
}
