// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Tests.Raft.Simulation;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Single rules of raft, each in the smallest cluster that shows it. What they amount to together, the simulation shows.</summary>
public sealed class RaftCoreTests
{
    [Theory]
    [InlineData(Mutation.None, true)]
    [InlineData(Mutation.SkipsPreVote, false)]
    public void AServerThatWasCutOffDoesNotDeposeTheLeader(Mutation mutation, bool stays)
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var cluster = Calm(seed, mutation);
            var (leader, term) = (cluster.Leader!, cluster.Leader!.Core!.Term);
            var cutOff = cluster.Servers.First(s => s != leader);
            foreach (var other in cluster.Servers)
            {
                cluster.Cut(cutOff.Id, other.Id);
                cluster.Cut(other.Id, cutOff.Id);
            }

            Run(cluster, seconds: 5);
            cluster.Heal();
            Run(cluster, seconds: 3);

            (cluster.Leader == leader && leader.Core!.Term == term).ShouldBe(stays, $"seed {seed}");
        }
    }

    [Fact]
    public void ALeaderThatReachesNobodyStepsDown()
    {
        var cluster = Calm(seed: 1);
        var leader = cluster.Leader!;
        foreach (var other in cluster.Servers) cluster.Cut(other.Id, leader.Id);

        Run(cluster, seconds: 1.5);

        leader.Core!.Role.ShouldNotBe(RaftRole.Leader);
        Run(cluster, seconds: 2);
        cluster.Leader.ShouldNotBeNull().ShouldNotBe(leader);
    }

    [Fact]
    public void ASlowDiskDelaysAcknowledgementsAndNotHeartbeats()
    {
        var cluster = Calm(seed: 1);
        var (leader, term) = (cluster.Leader!, cluster.Leader!.Core!.Term);
        foreach (var server in cluster.Servers) server.DiskLatency = TimeSpan.FromSeconds(5);

        var write = cluster.History.Begin(isWrite: true, cluster.Now);
        leader.Write(write);
        Run(cluster, seconds: 30);

        leader.Core!.Term.ShouldBe(term);
        write.Version.ShouldNotBeNull();
    }

    /// <summary>Its entry would be lost otherwise, or worse: the others wait for its vote, which it cannot give to a shorter log.</summary>
    [Fact]
    public void AServerThatOnlyItsOwnLogRemovesMayCampaign()
    {
        RaftConfiguration both = new([new("s1", "", Suffrage.Voter), new("s2", "", Suffrage.Voter)]);
        List<LogEntry> entries = [new(1, 1, EntryKind.Configuration, both.Encode()), new(2, 2, EntryKind.Noop, default), new(3, 2, EntryKind.Configuration, both.Without("s1").Encode())];
        var core = new RaftCore("s1", new(), new Random(1), new(new(2, "s1"), null, default, entries), TimeSpan.Zero);

        core.Tick(TimeSpan.FromSeconds(2));

        core.TakeOutput().Messages.OfType<VoteRequest>().ShouldHaveSingleItem().To.ShouldBe("s2");
    }

    [Fact]
    public void AServerThatIsNoMemberDoesNotCampaign()
    {
        var core = new RaftCore("s1", new(), new Random(1), RecoveredState.Nothing, TimeSpan.Zero);

        core.Tick(TimeSpan.FromSeconds(2));

        core.TakeOutput().IsEmpty.ShouldBeTrue();
        core.Role.ShouldBe(RaftRole.Follower);
    }

    [Fact]
    public void AVoteIsGivenOnceATermAndOnlyWhenItIsDurable()
    {
        var core = Member();
        core.Receive(new VoteRequest("s2", "s1", 5, new(1, 1), PreVote: false, Transfer: false));
        core.TakeOutput().Messages.ShouldBeEmpty();

        core.TakeBatch()!.HardState.ShouldBe(new(5, "s2"));
        core.TakeOutput().Messages.ShouldBeEmpty();
        core.Persisted();
        core.TakeOutput().Messages.ShouldHaveSingleItem().ShouldBeOfType<VoteReply>().Granted.ShouldBeTrue();

        core.Receive(new VoteRequest("s3", "s1", 5, new(9, 4), PreVote: false, Transfer: false));
        core.TakeOutput().Messages.ShouldHaveSingleItem().ShouldBeOfType<VoteReply>().Granted.ShouldBeFalse();
    }

    [Fact]
    public void EntriesAreAcknowledgedWhenTheyAreDurable()
    {
        var core = Member();
        core.Receive(new AppendRequest("s2", "s1", 2, new(1, 1), [new(2, 2, EntryKind.Noop, default)], 2, 1));
        core.TakeOutput().ShouldSatisfyAllConditions(o => o.Messages.ShouldBeEmpty(), o => o.Apply.Select(e => e.Index).ShouldBe([1]));

        core.TakeBatch()!.Entries.ShouldHaveSingleItem().Index.ShouldBe(2);
        core.Persisted();

        var output = core.TakeOutput();
        output.Messages.ShouldHaveSingleItem().ShouldBeOfType<AppendReply>().Match.ShouldBe(2);
        output.Apply.Select(e => e.Index).ShouldBe([2]);
    }

    /// <summary>The write is on its way when another leader takes the entries back: that it is done says nothing about what stands there now.</summary>
    [Fact]
    public void EntriesThatAreReplacedWhileTheyAreWrittenAreNotDurable()
    {
        var core = Member();
        core.Receive(new AppendRequest("s2", "s1", 2, new(1, 1), [new(2, 2, EntryKind.Noop, default), new(3, 2, EntryKind.Noop, default)], 0, 1));
        core.TakeBatch().ShouldNotBeNull();
        core.Receive(new AppendRequest("s3", "s1", 3, new(1, 1), [new(2, 3, EntryKind.Noop, default)], 2, 1));
        core.Persisted();
        core.TakeOutput().ShouldSatisfyAllConditions(o => o.Messages.ShouldBeEmpty(), o => o.Apply.Select(e => e.Index).ShouldBe([1]));

        core.TakeBatch()!.Entries.ShouldHaveSingleItem().Term.ShouldBe(3);
        core.Persisted();

        core.TakeOutput().Apply.ShouldHaveSingleItem().Term.ShouldBe(3);
    }

    [Fact]
    public void AFollowerIsFoundByTermsAndNotOneByOne()
    {
        // The follower has 100 entries of a term the leader never saw.
        List<LogEntry> theirs = [Configuration(), .. Enumerable.Range(2, 100).Select(i => new LogEntry(i, 2, EntryKind.Noop, default))];
        var follower = new RaftCore("s1", new(), new Random(1), new(new(2, null), null, default, theirs), TimeSpan.Zero);

        follower.Receive(new AppendRequest("s2", "s1", 3, new(50, 1), [], 0, 1));

        follower.TakeOutput().Messages.ShouldHaveSingleItem().ShouldBeOfType<AppendReply>().Conflict.ShouldBe(new(2, 2));
    }

    /// <summary>Nothing answers the probe, and then the leader compacts its log beyond it.</summary>
    [Fact]
    public void AFollowerWhoseProbeWasLostGetsASnapshot()
    {
        var options = new RaftOptions { TrailingEntries = 0, SnapshotLogEntries = int.MaxValue };
        var cluster = new SimCluster(seed: 1, servers: 3, spares: 0, Mutation.None, options, trace: false);
        Run(cluster, seconds: 2);
        var behind = cluster.Servers.First(s => s != cluster.Leader);
        foreach (var other in cluster.Servers) cluster.Cut(other.Id, behind.Id);
        cluster.Leader!.Die(powerLoss: false);
        Run(cluster, seconds: 4);
        for (var i = 0; i < 20; i++) cluster.Leader!.Write(cluster.History.Begin(isWrite: true, cluster.Now));
        Run(cluster, seconds: 1);
        cluster.Leader!.TakeSnapshot();
        Run(cluster, seconds: 1);

        cluster.Heal();
        Run(cluster, seconds: 3);

        cluster.Leader!.Core!.Log.Base.Index.ShouldBeGreaterThan(10);
        behind.Machine.Count.ShouldBe(20);
    }

    [Fact]
    public void ALargeStateIsWrittenAgainWhenTheLogHasGrownAsLarge()
    {
        var cluster = new SimCluster(seed: 1, servers: 3, spares: 0, Mutation.None, new RaftOptions { SnapshotLogEntries = 10, TrailingEntries = 0 }, trace: false);
        Run(cluster, seconds: 2);
        var core = cluster.Leader!.Core!;
        Write(15);
        core.SnapshotIndex.ShouldBeGreaterThan(0);
        Write(1);
        core.SnapshotSaved(core.AppliedState, bytes: 1000);

        Write(30);
        core.WantsSnapshot.ShouldBeFalse();

        Write(300);
        core.SnapshotIndex.ShouldBeGreaterThan(300);

        void Write(int count)
        {
            for (var i = 0; i < count; i++) cluster.Leader!.Write(cluster.History.Begin(isWrite: true, cluster.Now));
            Run(cluster, seconds: 1);
        }
    }

    [Fact]
    public void OnlyOneChangeOfTheMembershipIsUnderWay()
    {
        var cluster = Calm(seed: 1, spares: 2);
        cluster.Leader!.Do(core =>
        {
            core.AddServer("s4", "s4:4647", promote: false).Refusal.ShouldBeNull();
            core.AddServer("s5", "s5:4647", promote: false).Refusal.ShouldBe("An earlier membership change is not committed yet.");
            core.RemoveServer("s9").Refusal.ShouldBe("s9 is not a member.");
        });
        Run(cluster, seconds: 1);
        cluster.Leader!.Do(core => core.AddServer("s5", "s5:4647", promote: true).Refusal.ShouldBeNull());
        Run(cluster, seconds: 1);

        cluster.Leader!.Core!.Configuration.ToString().ShouldBe("[s1 s2 s3 s4(NonVoter) s5]");
    }

    private static SimCluster Calm(int seed, Mutation mutation = Mutation.None, int spares = 0)
    {
        var cluster = new SimCluster(seed, servers: 3, spares, mutation, new(), trace: false);
        Run(cluster, seconds: 3);
        cluster.Leader.ShouldNotBeNull();
        return cluster;
    }

    private static void Run(SimCluster cluster, double seconds) => cluster.RunUntil(cluster.Now + TimeSpan.FromSeconds(seconds));

    private static LogEntry Configuration() => new(1, 1, EntryKind.Configuration, new RaftConfiguration([new("s1", "", Suffrage.Voter), new("s2", "", Suffrage.Voter), new("s3", "", Suffrage.Voter)]).Encode());

    private static RaftCore Member() => new("s1", new(), new Random(1), new(new(1, null), null, default, [Configuration()]), TimeSpan.Zero);
}
