// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class LogTailTests : IDisposable
{
    private readonly string _log = Path.GetTempFileName();

    public void Dispose() => File.Delete(_log);

    [Theory]
    [InlineData("", 2, new string[0])]
    [InlineData("a", 2, new[] { "a" })]
    [InlineData("a\nb\nc\n", 2, new[] { "b", "c" })]
    [InlineData("a\nb\r\nunfinished", 2, new[] { "b", "unfinished" })]
    [InlineData("a\n\n", 5, new[] { "a", "" })]
    public void GivesTheLastLines(string text, int count, string[] lines)
    {
        File.WriteAllText(_log, text);

        LogTail.LastLines(_log, count).ShouldBe(lines);
    }

    [Fact]
    public void StartsAtTheOffsetUnlessTheFileWasRotatedSince()
    {
        File.WriteAllText(_log, "old\nnew\n");

        LogTail.LastLines(_log, 5, from: 4).ShouldBe(["new"]);
        LogTail.LastLines(_log, 5, from: 8).ShouldBeEmpty();
        LogTail.LastLines(_log, 5, from: 100).ShouldBe(["old", "new"]);
    }

    [Fact]
    public void ReadsOnlyTheEndOfALargeFile()
    {
        File.WriteAllText(_log, new string('x', 1_000_000) + "\nlast\n");

        var lines = LogTail.LastLines(_log, 2);

        lines[1].ShouldBe("last");
        lines[0].Length.ShouldBeLessThan(100_000);
    }

    [Fact]
    public void AMissingFileHasNoLines() => LogTail.LastLines(_log + ".missing", 3).ShouldBeEmpty();
}
