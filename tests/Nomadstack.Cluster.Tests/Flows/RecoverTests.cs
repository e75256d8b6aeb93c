// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Two of three server disks are lost for good, or seem to be.</summary>
public sealed class RecoverTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_command = TimeSpan.FromSeconds(60);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task FromOneSurvivorItGoesOnAndGrowsAgainWithNewMachines(string engine)
    {
        await NotTwiceEveryDayAsync(engine);
        await using var cluster = await StartAsync(engine);
        var (survivor, lost) = (cluster.Nodes[0], cluster.Nodes.Skip(1).ToList());
        var writes = await MarkerJobs.ManyAsync(cluster, survivor, "before");
        await Task.WhenAll(lost.Select(node => node.WipeAsync()));
        await cluster.StateAsync(survivor, "no-quorum", TimeSpan.FromSeconds(60));

        (await TestCluster.RunAsync(survivor, s_command, "recover")).ExitCode.ShouldBe(4, "nobody said that they never return");
        var clock = Stopwatch.StartNew();
        await cluster.MustAsync(survivor, s_command, "recover", "--accept-data-loss", "n2", "n3", "--yes");
        await MarkerJobs.OneAsync(cluster, survivor, "after");
        Say($"{engine}: writes again {clock.Elapsed.TotalSeconds:0.0} s after the command");
        writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(survivor), "every acknowledged write that the survivor had");

        foreach (var node in lost) await cluster.MustAsync(survivor, s_command, "node", "remove", node.Name);
        clock.Restart();
        foreach (var node in lost)
        {
            await node.PowerOnAsync();
            await cluster.JoinAsync(node, survivor);
        }

        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(150));
        Say($"{engine}: three servers again {clock.Elapsed.TotalSeconds:0.0} s after the first new machine");
        await Invariants.HoldAsync(cluster, 3);
        writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(survivor));
    }

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task WhoReturnsFromThePastIsNotListenedToAndJoinsAnew(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await StartAsync(engine);
        var (survivor, away) = (cluster.Nodes[2], cluster.Nodes.Take(2).ToList());
        var writes = await MarkerJobs.ManyAsync(cluster, survivor, "before");
        await Task.WhenAll(away.Select(node => node.PowerOffAsync()));
        await cluster.StateAsync(survivor, "no-quorum", TimeSpan.FromSeconds(60));
        await cluster.MustAsync(survivor, s_command, "recover", "--accept-data-loss", "n1", "n2", "--yes");
        await MarkerJobs.OneAsync(cluster, survivor, "after");

        await Task.WhenAll(away.Select(cluster.PowerOnAsync));

        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(150));
        await Invariants.HoldAsync(cluster, 3);
        (await MarkerJobs.SeenAsync(survivor)).ShouldContain("after");
        writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(survivor));
        foreach (var node in away) Directory.GetDirectories(Path.Combine(node.Data, "retired")).ShouldContain(folder => Path.GetFileName(folder).Contains("nomad-server"), $"{node.Name} keeps what it had aside");

        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        await Task.WhenAll(cluster.Nodes.Select(cluster.PowerOnAsync));
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(90));
        (await MarkerJobs.SeenAsync(survivor)).ShouldContain("after", "and nothing older returns after one more power cut");
    }

    /// <summary>Two people, one on each side of a cut cable, and both say that the other side burnt.</summary>
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task OfTwoHalvesThatWereBothRecoveredOneGoesOnWhenTheyMeet(string engine)
    {
        OnlyInLongRuns();
        await using var cluster = await StartAsync(engine);
        var (one, two) = (cluster.Nodes[0], cluster.Nodes[1]);
        await cluster.Nodes[2].WipeAsync();
        await one.CutAsync();
        foreach (var (node, others) in new[] { (one, new[] { "n2", "n3" }), (two, ["n1", "n3"]) })
        {
            await cluster.StateAsync(node, "no-quorum", TimeSpan.FromSeconds(60));
            await cluster.MustAsync(node, s_command, ["recover", .. others.SelectMany(other => (string[])["--accept-data-loss", other]), "--yes"]);
        }

        await one.PlugAsync();
        await Eventually.NothingIsMissingAsync("one of them is retired", TimeSpan.FromSeconds(90), () =>
            Task.FromResult(new[] { one, two }.Count(node => Directory.Exists(Path.Combine(node.Data, "retired")) && Directory.GetDirectories(Path.Combine(node.Data, "retired")).Any(folder => Path.GetFileName(folder).Contains("nomad-server", StringComparison.Ordinal))) is 1 ? null : "exactly one"), cluster.Logs);
        await cluster.MustAsync(one, s_command, "node", "remove", "n3");
        await cluster.Nodes[2].PowerOnAsync();
        await cluster.JoinAsync(cluster.Nodes[2], one);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(150));
        await Invariants.HoldAsync(cluster, 3);
    }

    private static async Task<TestCluster> StartAsync(string engine)
    {
        var cluster = await MachinesWithAsync(engine, 3, secure: true);
        await cluster.StartAllAsync();
        await Invariants.HoldAsync(cluster, 3);
        return cluster;
    }
}
