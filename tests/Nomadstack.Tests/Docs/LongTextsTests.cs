// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

/// <summary>Long texts for people stand where a person would edit them, and not in the middle of logic.</summary>
public sealed partial class LongTextsTests
{
    /// <summary>Characters of text on one line of code. A longer text belongs into the folder's <c>*Problems.cs</c>.</summary>
    private const int Most = 180;

    [Fact]
    public void LongTextsAreInFilesOfTheirOwn() =>
        Long(Repository.Files()).ShouldBeEmpty();

    [Theory]
    [InlineData("Peers/Joining.cs", "throw new(\"{0} {0} {0}\");", true)]
    [InlineData("Peers/Joining.cs", "throw new(\"a/b\", \"{0} {0}\", \"{0}\");", true)]
    [InlineData("Peers/Joining.cs", "throw new(\"{0}\");", false)]
    [InlineData("Peers/Joining.cs", "// \"{0} {0} {0}\"", false)]
    [InlineData("Peers/JoinProblems.cs", "\"{0} {0} {0}\"", false)]
    [InlineData("Cli/Options/NodeOptions.cs", "_bind = Setting.Text(here, \"--bind\", \"{0} {0} {0}\");", false)]
    public void ALineIsLongByItsTexts(string path, string line, bool seen) =>
        Long([(path, line.Replace("{0}", "sixty-four characters of a text that goes on for a good long while", StringComparison.Ordinal))]).Count.ShouldBe(seen ? 1 : 0);

    private static List<string> Long(IEnumerable<(string Path, string Text)> files) =>
        [.. from file in files
            where !file.Path.EndsWith("Problems.cs", StringComparison.Ordinal)
            from line in file.Text.Split('\n').Select((text, i) => (Text: text.Trim(), Number: i + 1))
            where !line.Text.StartsWith("//", StringComparison.Ordinal) && !Description().IsMatch(line.Text)
            where Literal().Matches(line.Text).Where(text => text.Value.Contains(' ', StringComparison.Ordinal)).Sum(text => text.Length - 2) > Most
            select $"{file.Path}:{line.Number}: {line.Text}"];

    /// <summary>Where an option, an argument or a command is described.</summary>
    [GeneratedRegex("Setting\\.|Description = |base\\(\"")]
    private static partial Regex Description();

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Literal();
}
