// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed partial class FilesTests
{
    private static readonly NodePaths s_paths = new("/data");

    /// <summary>As the page's tables write them: a folder ends with a slash.</summary>
    private static readonly List<string> s_documented =
        [.. Row().Matches(Repository.Read("docs", "files.md")).SelectMany(row => Name().Matches(row.Groups[1].Value)).Select(name => name.Groups[1].Value.TrimEnd('/'))];

    [Fact]
    public void EveryPlaceOfTheLayoutIsExplained()
    {
        var properties = typeof(NodePaths).GetProperties().Where(p => p.PropertyType == typeof(string)).Select(p => (string)p.GetValue(s_paths)!);
        var byRole = Role.All.SelectMany(role => new[] { s_paths.Client(role), s_paths.Server(role), s_paths.BootstrapServer(role) });

        properties.Concat(byRole).Where(path => path != s_paths.Data && path != s_paths.Run)
            .Select(path => Path.GetRelativePath(path.StartsWith(s_paths.Run + "/", StringComparison.Ordinal) ? s_paths.Run : s_paths.Data, path))
            .Except(s_documented).ShouldBeEmpty();
    }

    [Fact]
    public void EveryPlaceThatIsExplainedIsOneOfTheProgram()
    {
        var source = string.Concat(Repository.Files().Select(f => f.Text));

        s_documented.ShouldNotBeEmpty();
        s_documented.Select(path => path.Split('/')[^1]).Where(name => !IsNamed(source, name)).ShouldBeEmpty();
    }

    /// <summary>A bootstrap server's folder is put together: the role, then what follows.</summary>
    private static bool IsNamed(string source, string name) =>
        source.Contains($"\"{name}\"", StringComparison.Ordinal) || source.Contains($"\"{Role.All.Aggregate(name, (rest, role) => rest.Replace(role, "", StringComparison.Ordinal))}\"", StringComparison.Ordinal);

    [GeneratedRegex(@"^\| ((?:`[^`]+`(?:, )?)+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();
}
