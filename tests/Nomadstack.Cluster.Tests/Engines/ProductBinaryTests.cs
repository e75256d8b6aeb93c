// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Flows;
using Nomadstack.Cluster.Tests.Machines;
using Shouldly;
using Xunit;

namespace Nomadstack.Cluster.Tests.Engines;

/// <summary>What an operator copies and starts, as it is published (decisions 121 and 124).</summary>
[Collection(Timed.Name)]
public sealed class ProductBinaryTests
{
    private const long MostBytes = 47_000_000;
    private static readonly TimeSpan s_longestStart = TimeSpan.FromMilliseconds(28);

    [SkippableFact]
    public async Task TheProgramIsNoLargerThanItWas()
    {
        Skip.If(ProductBinary.WhyNotNative is not null, ProductBinary.WhyNotNative);
        new FileInfo((await ProductBinary.PublishedAsync()).Program).Length.ShouldBeLessThanOrEqualTo(MostBytes);
    }

    /// <summary>Beyond what a program takes that does nothing. The best of many: what else runs on this machine makes a start slower and never faster, tables that have to be written at the start make all of them slow.</summary>
    [SkippableFact]
    public async Task ACommandStartsWithinAMoment()
    {
        Skip.If(ProductBinary.WhyNotNative is not null, ProductBinary.WhyNotNative);
        var program = (await ProductBinary.PublishedAsync()).Program;
        var (ours, empty) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var i = 0; i < 40; i++)
        {
            ours = Least(ours, await TimeAsync(program, "version"));
            empty = Least(empty, await TimeAsync("true"));
        }

        (ours - empty).ShouldBeLessThanOrEqualTo(s_longestStart);
    }

    [Fact]
    public async Task ALinkNamedAsAProductLeadsToTheProgram()
    {
        var folder = Directory.CreateTempSubdirectory("nomadstack-link-").FullName;
        try
        {
            var link = Path.Combine(folder, "nomad");
            File.CreateSymbolicLink(link, (await ProductBinary.PublishedAsync()).Program);

            (await Command.RunAsync([link, "version"], TimeSpan.FromSeconds(30))).ToString().ShouldNotContain("Unhandled exception");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<TimeSpan> TimeAsync(params string[] command)
    {
        var started = Stopwatch.GetTimestamp();
        await Command.MustAsync(command);
        return Stopwatch.GetElapsedTime(started);
    }

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
