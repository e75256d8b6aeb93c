// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Tests.Raft.Simulation;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Tests that watch the real clock run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OnTheClock
{
    public const string Name = "on the clock";
}

[Collection(OnTheClock.Name)]
public sealed class RaftNodeTests(ITestOutputHelper output)
{
    private static readonly CancellationToken s_never = CancellationToken.None;

    [Fact]
    public async Task ALeaderThatIsKilledIsReplacedWithinTwoSeconds()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        List<long> times = [];
        for (var round = 0; round < 8; round++)
        {
            var leader = await cluster.LeaderAsync();
            await cluster.WriteAsync($"round {round}");
            var watch = Stopwatch.StartNew();
            await cluster.StopAsync(leader.Id);
            await cluster.WriteAsync("after");
            times.Add(watch.ElapsedMilliseconds);
            var (restarted, goal) = (cluster.Start(leader.Id), (await cluster.LeaderAsync()).Status.Commit);
            await restarted.WaitUntilAsync(s => s.Applied >= goal, s_never).WaitAsync(NodeCluster.Deadline);
        }

        output.WriteLine($"from the leader's end to the first write after it: {string.Join(", ", times)} ms");
        // The middle one: a machine that is starved for seconds says nothing about raft.
        times.Order().ElementAt(times.Count / 2).ShouldBeLessThan(2000);
    }

    [Fact]
    public async Task SixteenCallersShareFsyncs()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        var command = new byte[1024];
        var watch = Stopwatch.StartNew();
        var span = TimeSpan.FromSeconds(3);
        var counts = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            var count = 0;
            for (; watch.Elapsed < span; count++) (await leader.ProposeAsync(command, s_never)).ShouldBeOfType<RaftOutcome.Done>();
            return count;
        })));

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{counts.Sum() / watch.Elapsed.TotalSeconds:f0} writes/s of 1 KiB, 16 callers, 3 servers with fsync"));
        counts.ShouldAllBe(c => c > 0);
        cluster.Machines[leader.Id].State.Count.ShouldBe(counts.Sum());
    }

    /// <summary>A timer cuts off the rest: a loop that waits for less than a millisecond does not wait.</summary>
    [Fact]
    public async Task ALeaderAtRestWaitsForWholeMilliseconds()
    {
        var time = new WatchedTime();
        await using var cluster = await NodeCluster.StartAsync(1, new() { Heartbeat = TimeSpan.FromMilliseconds(10) }, time);
        var leader = await cluster.LeaderAsync();

        while (time.Waits.Count < 20) (await leader.ReadIndexAsync(s_never).WaitAsync(NodeCluster.Deadline)).ShouldBeOfType<RaftOutcome.Done>();

        time.Waits.ShouldAllBe(wait => wait.Ticks % TimeSpan.TicksPerMillisecond == 0);
    }

    [Fact]
    public async Task WhatWasAcknowledgedIsThereAfterAllHaveStopped()
    {
        await using var cluster = await NodeCluster.StartAsync(3, new() { SnapshotLogEntries = 20, TrailingEntries = 5, SegmentBytes = 2000 });
        for (var i = 1; i <= 50; i++) (await cluster.WriteAsync($"value {i}")).Result.ShouldBe((long)i);

        foreach (var id in cluster.Nodes.Keys.ToList()) await cluster.StopAsync(id);
        foreach (var id in cluster.Addresses.Keys) cluster.Start(id);

        var leader = await cluster.LeaderAsync();
        cluster.Machines[leader.Id].State.ShouldBe((50, "value 50"));
        leader.Status.Snapshot.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task AFollowerWithoutALogGetsASnapshotAndThenAVote()
    {
        await using var cluster = await NodeCluster.StartAsync(1, new() { SnapshotLogEntries = 10, TrailingEntries = 2, SnapshotChunkBytes = 16 });
        for (var i = 1; i <= 40; i++) await cluster.WriteAsync($"value {i}");
        var leader = await cluster.LeaderAsync();

        var joiner = cluster.Start("s2");
        (await leader.AddVoterAsync("s2", cluster.Addresses["s2"], s_never).WaitAsync(NodeCluster.Deadline)).ShouldBeOfType<RaftOutcome.Done>();

        await joiner.WaitUntilAsync(s => s.Applied >= leader.Status.Applied, s_never).WaitAsync(NodeCluster.Deadline);
        cluster.Machines["s2"].State.ShouldBe((40, "value 40"));
        joiner.Status.Configuration.IsVoter("s2").ShouldBeTrue();
        (joiner.LastContact < TimeSpan.FromSeconds(2)).ShouldBeTrue();
    }

    [Fact]
    public async Task LeadershipIsGivenAwayAndALeaderCanRemoveItself()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        var first = await cluster.LeaderAsync();
        var target = cluster.Nodes.Keys.First(id => id != first.Id);

        (await first.TransferLeadershipAsync(target, s_never)).ShouldBeOfType<RaftOutcome.Done>();
        var second = await cluster.LeaderAsync();
        second.Id.ShouldBe(target);
        (await first.ProposeAsync(default, s_never)).ShouldBeOfType<RaftOutcome.NotLeader>().Leader!.Id.ShouldBe(target);

        (await second.RemoveAsync(second.Id, s_never)).ShouldBeOfType<RaftOutcome.Done>();
        await cluster.StopAsync(second.Id);
        await cluster.WriteAsync("after");
        var third = await cluster.LeaderAsync();
        third.Status.Configuration.Servers.Select(s => s.Id).ShouldNotContain(second.Id);
        (await third.RemoveAsync(second.Id, s_never)).ShouldBeOfType<RaftOutcome.Refused>();
    }

    [Fact]
    public async Task WithoutAMajorityNothingIsAcknowledgedAndTheLeaderStepsDown()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        foreach (var id in cluster.Nodes.Keys.Where(id => id != leader.Id).ToList()) await cluster.StopAsync(id);

        var (write, read) = (leader.ProposeAsync(default, s_never), leader.ReadIndexAsync(s_never));

        (await write.WaitAsync(NodeCluster.Deadline)).ShouldBeOfType<RaftOutcome.Unknown>();
        (await read.WaitAsync(NodeCluster.Deadline)).ShouldBeOfType<RaftOutcome.NotLeader>();
        leader.Status.Leads.ShouldBeFalse();
    }

    [Fact]
    public async Task ALostMajorityIsGivenUpByForce()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        await cluster.WriteAsync("kept");
        foreach (var id in cluster.Nodes.Keys.ToList()) await cluster.StopAsync(id);
        var survivor = new RaftConfiguration([new("s2", cluster.Addresses["s2"], Suffrage.Voter)]);

        for (var time = 0; time < 2; time++) RaftStorage.ForceConfiguration(cluster.Files("s2"), survivor, cluster.Options);
        cluster.Start("s2");

        var leader = await cluster.LeaderAsync();
        leader.Id.ShouldBe("s2");
        leader.Status.Configuration.ShouldBe(survivor);
        cluster.Machines["s2"].State.Last.ShouldBe("kept");
        await cluster.WriteAsync("after");
    }

    [Fact]
    public async Task ASnapshotIsTakenWhenAskedFor()
    {
        await using var cluster = await NodeCluster.StartAsync(1);
        var written = await cluster.WriteAsync("value");
        var leader = await cluster.LeaderAsync();

        var done = (await leader.SnapshotAsync(s_never)).ShouldBeOfType<RaftOutcome.Done>();

        done.Index.ShouldBeGreaterThanOrEqualTo(written.Index);
        leader.Status.Snapshot.ShouldBe(done.Index);
    }

    [Fact]
    public async Task ANodeWhoseDiskFailsStopsAndSaysSo()
    {
        var disk = new SimDisk(new Random(1));
        var transport = new TcpRaftTransport("s1", "127.0.0.1:1", TimeProvider.System, NullLogger.Instance);
        RaftStorage.Bootstrap(disk, new([new("s1", "127.0.0.1:1", Suffrage.Voter)]), new());
        await using var node = RaftNode.Start("s1", disk, new(), new CountingMachine(), transport, TimeProvider.System, NullLogger.Instance);
        await node.WaitUntilAsync(s => s.Leads && s.Applied == s.Last, s_never).WaitAsync(NodeCluster.Deadline);

        disk.PointsUntilCrash = 2;
        var write = node.ProposeAsync(default, s_never);

        (await write.WaitAsync(NodeCluster.Deadline)).ShouldBeOfType<RaftOutcome.Unknown>();
        await Should.ThrowAsync<CrashException>(node.Completion.WaitAsync(NodeCluster.Deadline));
    }

    [Fact]
    public async Task WhoeverWaitsIsAnsweredWhenTheNodeStops()
    {
        await using var cluster = await NodeCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        List<Task<RaftOutcome>> waiting = [.. Enumerable.Range(0, 100).Select(i => leader.ProposeAsync(Encoding.UTF8.GetBytes($"{i}"), s_never))];

        await cluster.StopAsync(leader.Id);

        await Task.WhenAll(waiting).WaitAsync(NodeCluster.Deadline);
        (await leader.ProposeAsync(default, s_never)).ShouldBeOfType<RaftOutcome.NotLeader>();
        await leader.Completion;
    }
}
