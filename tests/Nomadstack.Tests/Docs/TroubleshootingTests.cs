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
    public void EveryWayAJoinCanBeRefusedIsExplained()
    {
        var given = Repository.Files().SelectMany(f => JoinCode().Matches(f.Text)).Select(m => m.Groups[1].Value).Distinct();

        given.Except(Code().Matches(Repository.Read("docs", "troubleshooting.md")).Select(m => m.Groups[1].Value)).ShouldBeEmpty();
    }

    /// <summary>Some codes name the product: <c>engine/{kind}-missing</c>.</summary>
    private static bool Gives(string source, string code) =>
        source.Contains($"\"{code}\"", StringComparison.Ordinal) || source.Contains($"\"{Product().Replace(code, "{kind}")}\"", StringComparison.Ordinal);

    [GeneratedRegex("`([a-z]+/[a-z-]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("\"(join/[a-z-]+)\"")]
    private static partial Regex JoinCode();

    [GeneratedRegex("nomad|consul")]
    private static partial Regex Product();
}
