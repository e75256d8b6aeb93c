// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Globalization;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>
/// Raft under every kind of trouble at once. <c>NOMADSTACK_RAFT_SEEDS</c> says how many runs (200; 10000 is the long mode), <c>NOMADSTACK_TEST_SEED</c> with which seed they begin.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    [Fact]
    public void NothingThatMustNotHappenHappens()
    {
        var first = Number("NOMADSTACK_TEST_SEED", 1);
        var count = Number("NOMADSTACK_RAFT_SEEDS", 200);
        var summaries = new ConcurrentBag<SimSummary>();
        var failures = new ConcurrentQueue<string>();
        Parallel.For(first, first + count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, (seed, loop) =>
        {
            try
            {
                summaries.Add(SimScenario.Run(seed));
            }
            catch (ViolationException e)
            {
                failures.Enqueue(e.Message);
                if (failures.Count >= 3) loop.Stop();
            }
        });

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{summaries.Count} seeds passed: {summaries.Sum(s => (long)s.Elections)} elections, {summaries.Sum(s => s.Committed)} entries, {summaries.Sum(s => (long)s.Acknowledged)} of {summaries.Sum(s => (long)s.Asked)} operations acknowledged, {summaries.Sum(s => s.Events)} events"));
        if (!failures.IsEmpty) throw new ViolationException(string.Join("\n\n", failures));
        // Runs in which nothing happens prove nothing.
        summaries.Sum(s => (long)s.Acknowledged).ShouldBeGreaterThan(20L * summaries.Count);
        summaries.Sum(s => (long)s.Elections).ShouldBeGreaterThan(2L * summaries.Count);
    }

    /// <summary>Seeds that once failed, or that fail when an old mistake is made again. They lose that meaning when the scenario changes; each mistake has a test of its own too.</summary>
    [Theory]
    [InlineData(18)] // a frame with a wrong checksum was read as an empty one
    [InlineData(46)]
    [InlineData(9)] // a lost probe, and the log compacted beyond it: the follower never got a snapshot
    [InlineData(13)]
    [InlineData(202)] // only the log of a removed server held its removal, and it did not campaign
    [InlineData(1378)]
    public void WhatOnceFailedStaysMended(int seed) => SimScenario.Run(seed).Acknowledged.ShouldBeGreaterThan(0);

    [Fact]
    public void ASeedIsTheSameRunEachTime() => SimScenario.Run(7).ShouldBe(SimScenario.Run(7));

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
