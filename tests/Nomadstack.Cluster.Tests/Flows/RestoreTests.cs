// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Everything is burnt but one file and a key.</summary>
public sealed class RestoreTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_command = TimeSpan.FromSeconds(150);

    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task BlankMachinesBecomeTheSameClusterAndASurvivorOfTheOldOneIsNotListenedTo(string engine)
    {
        await NotTwiceEveryDayAsync(engine);
        await using var cluster = await MachinesWithAsync(engine, 3, secure: true);
        await cluster.StartAllAsync();
        var before = await Invariants.HoldAsync(cluster, 3);
        var (first, survivor) = (cluster.Nodes[0], cluster.Nodes[2]);
        var writes = await MarkerJobs.ManyAsync(cluster, first, "before");
        await RunCounterAsync(cluster, first);
        await cluster.MustAsync(first, s_command, "snapshot", "save", "--output", "/srv/archive");
        var key = await cluster.MustAsync(first, s_command, "snapshot", "key");
        var archive = await File.ReadAllBytesAsync(Path.Combine(first.Srv, "archive"));
        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        var old = survivor.Disk + ".old";
        Directory.Move(survivor.Disk, old);
        Directory.CreateDirectory(survivor.Disk);
        await Task.WhenAll(cluster.Nodes.Select(node => node.WipeAsync()));

        for (var i = 0; i < 3; i++) await cluster.Nodes[i].ReaddressAsync(51 + i);
        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOnAsync()));
        await File.WriteAllBytesAsync(Path.Combine(first.Srv, "archive"), archive);
        await File.WriteAllTextAsync(Path.Combine(first.Srv, "key"), key);
        cluster.StartAgent(first);
        await cluster.AgentAnswersAsync(first);
        await RefusedAsync(first, "of-nobody", "archive/wrong-key");
        var clock = Stopwatch.StartNew();
        await cluster.MustAsync(first, s_command, "restore", "/srv/archive", "--key", "/srv/key");
        Say($"{engine}: one server again {clock.Elapsed.TotalSeconds:0.0} s after the command");
        foreach (var node in cluster.Nodes.Skip(1)) await cluster.JoinAsync(node, first);
        await cluster.HealthyAsync(3, TimeSpan.FromSeconds(150));
        Say($"{engine}: healthy with three {clock.Elapsed.TotalSeconds:0.0} s after the command");

        (await Invariants.HoldAsync(cluster, 3)).ClusterId.ShouldBe(before.ClusterId);
        writes.ShouldBeSubsetOf(await MarkerJobs.SeenAsync(first));
        await CountsAsync(cluster);
        await MarkerJobs.OneAsync(cluster, first, "after");

        // A machine of the old cluster was not burnt after all: its disk, at its old address.
        var returned = await cluster.Lab.AddAsync();
        await returned.PowerOffAsync();
        await returned.ReaddressAsync(3);
        Directory.Delete(returned.Disk, recursive: true);
        Directory.Move(old, returned.Disk);
        await cluster.PowerOnAsync(returned);
        await Eventually.TrueAsync("it is told that it was removed, and ends", TimeSpan.FromSeconds(60), () => Task.FromResult(cluster.Agent(returned).HasExited), cluster.Logs);
        string.Join('\n', cluster.Agent(returned).Text.Split('\n').TakeLast(8)).ShouldContain("was removed from");
        (await Invariants.HoldAsync(cluster, 3)).ClusterId.ShouldBe(before.ClusterId);
        (await MarkerJobs.SeenAsync(first)).ShouldContain("after");
    }

    private static async Task RefusedAsync(LabNode node, string key, string code)
    {
        await File.WriteAllTextAsync(Path.Combine(node.Srv, "other"), key);
        var refused = await TestCluster.RunAsync(node, s_command, "restore", "/srv/archive", "--key", "/srv/other", "--json");
        refused.ExitCode.ShouldNotBe(0);
        (refused.Stdout + refused.Stderr).ShouldContain(code);
    }

    /// <summary>One task that counts, wherever it runs.</summary>
    private static async Task RunCounterAsync(TestCluster cluster, LabNode node)
    {
        await File.WriteAllTextAsync(Path.Combine(node.Srv, "count.nomad"), """
            job "count" {
              datacenters = ["dc1"]
              group "g" {
                task "t" {
                  driver = "raw_exec"
                  config {
                    command = "/bin/sh"
                    args    = ["-c", "while :; do date >> /srv/counted; sleep 1; done"]
                  }
                }
              }
            }
            """);
        await cluster.MustAsync(node, s_command, "job", "run", "/srv/count.nomad");
        await CountsAsync(cluster);
    }

    private static Task CountsAsync(TestCluster cluster) =>
        Eventually.TrueAsync("the task counts", TimeSpan.FromSeconds(90), () => Task.FromResult(cluster.Nodes.Any(node =>
            new FileInfo(Path.Combine(node.Srv, "counted")) is { Exists: true } file && DateTime.UtcNow - file.LastWriteTimeUtc < TimeSpan.FromSeconds(5))), cluster.Logs);
}
