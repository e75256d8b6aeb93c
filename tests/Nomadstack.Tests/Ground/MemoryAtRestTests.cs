// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Ground.Kernel;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Ground;

public sealed class MemoryAtRestTests
{
    [Fact]
    public void CleanPagesOfProgramCodeAreReleasable() => Releasable("r-xp", "/usr/bin/nomadstack").ShouldBe([(0x1000, 0x2000)]);

    [Theory]
    [InlineData("rw-p", "/usr/bin/nomadstack", 0)]
    [InlineData("rwxp", "/usr/bin/nomadstack", 0)]
    [InlineData("---p", "/usr/bin/nomadstack", 0)]
    [InlineData("r--p", "", 0)]
    [InlineData("r--p", "[vdso]", 0)]
    [InlineData("r-xp", "/usr/lib/libssl.so.3", 4)]
    public void WhatCouldNotBeReadAgainIsKept(string permissions, string file, int dirtyKilobytes) => Releasable(permissions, file, dirtyKilobytes).ShouldBeEmpty();

    [Fact]
    public void APathWithBlanksIsAPath() => Releasable("r--s", "/opt/my tools/nomadstack").ShouldNotBeEmpty();

    [Fact]
    public void AReleaseLeavesTheProgramRunningAndSmaller()
    {
        var before = FilePages();
        MemoryAtRest.Release();
        var after = FilePages();

        after.ShouldBeLessThan(before);
        string.Join(',', Enumerable.Range(1, 3)).ShouldBe("1,2,3");
    }

    private static List<(long Start, long Length)> Releasable(string permissions, string file, int dirtyKilobytes = 0) =>
        [.. MemoryAtRest.Releasable([$"1000-3000 {permissions} 00000000 fe:00 247890      {file}".TrimEnd(), "Rss:       8 kB", $"Private_Dirty:       {dirtyKilobytes} kB", "Anonymous:       0 kB", "VmFlags: rd mr mw me "])];

    /// <summary>Kilobytes of mapped file pages in memory.</summary>
    private static long FilePages() =>
        long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssFile:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
