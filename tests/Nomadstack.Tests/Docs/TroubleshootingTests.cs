// SPDX-License-Identifier: MPL-2.0
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Docs;

public sealed partial class TroubleshootingTests
{
    [Fact]
    public void EveryCodeItExplainsIsOneTheProgramGives()
    {
        var source = string.Concat(Repository.Files().Select(f => f.Text));

        Code().Matches(Repository.Read("docs", "troubleshooting.md")).Select(m => m.Groups[1].Value).Distinct()
            .Where(code => !Gives(source, code)).ShouldBeEmpty();
    }

    [Fact]
    public void EveryCodeTheProgramGivesIsExplained()
    {
        var given = Repository.Files().SelectMany(f => GivenCode().Matches(f.Text)).Select(m => m.Groups[1].Value)
            .Select(code => code.Replace(OfProduct, "nomad", StringComparison.Ordinal)).Distinct().ToList();

        given.Count.ShouldBeGreaterThan(100);
        given.Except(Code().Matches(Repository.Read("docs", "troubleshooting.md")).Select(m => m.Groups[1].Value)).ShouldBeEmpty();
    }

    /// <summary>How some codes name the product.</summary>
    private const string OfProduct = "{product.Name}";

    private static bool Gives(string source, string code) =>
        source.Contains($"\"{code}\"", StringComparison.Ordinal) || source.Contains($"\"{Product().Replace(code, OfProduct)}\"", StringComparison.Ordinal);

    [GeneratedRegex("`([a-z]+/[a-z-]+)`")]
    private static partial Regex Code();

    /// <summary>Where a problem is made, and where its code has a name of its own.</summary>
    [GeneratedRegex("(?:new(?: Problem)?\\(|Code = )\\s*\\$?\"((?!application/)[a-z]+/[a-zA-Z{}.-]+)\"")]
    private static partial Regex GivenCode();

    [GeneratedRegex("nomad|consul")]
    private static partial Regex Product();
}
