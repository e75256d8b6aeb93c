// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Servers;
using Nomadstack.Tests.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Servers;

public sealed class ServerHostTests : IDisposable
{
    private static readonly CancellationToken s_never = CancellationToken.None;

    private readonly HostFolder _folder = new();

    [Theory]
    [InlineData("thief")]
    [InlineData("nomad-server of namespace other")]
    [InlineData("consul-server")]
    public async Task OnlyTheProductsOwnJobClaimsItsServer(string job)
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);

        var refused = await Should.ThrowAsync<ProblemException>(() => host.ClaimAsync(HostFolder.Claim("alloc-2/server/b") with { JobId = job }, s_never));

        refused.Problem.Code.ShouldBe("driver/not-its-job");
        refused.Problem.Lasting.ShouldBeTrue("Nomad does not try again");
        host.Holds("alloc-1/server/a").ShouldBeTrue();
    }

    [Fact]
    public async Task AFirstClaimMakesAServerAndItsRecord()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);

        _folder.IsAlive(host.Pid(Role.Nomad)).ShouldBeTrue();
        host.Holds("alloc-1/server/a").ShouldBeTrue();
        host.ReleasedAsync("alloc-1/server/a", s_never).IsCompleted.ShouldBeFalse();
        _folder.Record().ShouldNotBeNull().ShouldSatisfyAllConditions(r => r.Claim.ShouldBe(HostFolder.Claim()), r => r.WasVoter.ShouldBeFalse(), r => r.State.ShouldBe("running"));
    }

    [Fact]
    public async Task TheSameClaimAgainChangesNothing()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var (pid, released) = (host.Pid(Role.Nomad), host.ReleasedAsync("alloc-1/server/a", s_never));
        await host.ClaimAsync(HostFolder.Claim(), s_never);

        host.Pid(Role.Nomad).ShouldBe(pid);
        released.IsCompleted.ShouldBeFalse();
        _folder.Living.ShouldBe(1);
    }

    [Fact]
    public async Task ASecondClaimReplacesTheFirstAndEndsIt()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var (pid, raftId, released) = (host.Pid(Role.Nomad), _folder.Record()!.RaftId, host.ReleasedAsync("alloc-1/server/a", s_never));
        await host.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never);

        await released.WaitAsync(TimeSpan.FromSeconds(10));
        host.Pid(Role.Nomad).ShouldBe(pid);
        _folder.Record()!.RaftId.ShouldBe(raftId);
        (host.Holds("alloc-1/server/a"), host.Holds("alloc-2/server/b")).ShouldBe((false, true));
        host.ReleasedAsync("alloc-2/server/b", s_never).IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task AReleaseOfAReplacedClaimDoesNotTouchTheNewOne()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        await host.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never);
        await host.ReleaseAsync("alloc-1/server/a", s_never);

        host.Holds("alloc-2/server/b").ShouldBeTrue();
        _folder.Record()!.State.ShouldBe("running");
    }

    [Fact]
    public async Task AReleasedServerLingersAndItsProcessLives()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var (pid, released) = (host.Pid(Role.Nomad), host.ReleasedAsync("alloc-1/server/a", s_never));
        await host.ReleaseAsync("alloc-1/server/a", s_never);
        await host.ReleaseAsync("nobody/knows/this", s_never);

        await released.WaitAsync(TimeSpan.FromSeconds(10));
        host.Holds("alloc-1/server/a").ShouldBeFalse();
        _folder.Record().ShouldNotBeNull().ShouldSatisfyAllConditions(r => r.State.ShouldBe("lingering"), r => r.ReleasedAt.ShouldNotBeNull());
        host.Pid(Role.Nomad).ShouldBe(pid);
        _folder.IsAlive(pid).ShouldBeTrue();
    }

    [Fact]
    public async Task AClaimOnALingeringServerTakesItBack()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var (pid, raftId) = (host.Pid(Role.Nomad), _folder.Record()!.RaftId);
        await host.ReleaseAsync("alloc-1/server/a", s_never);
        await host.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never);

        host.Pid(Role.Nomad).ShouldBe(pid);
        _folder.Record().ShouldNotBeNull().ShouldSatisfyAllConditions(r => r.RaftId.ShouldBe(raftId), r => r.ReleasedAt.ShouldBeNull());
    }

    [Fact]
    public async Task AClaimThatComesRightAfterAnAgentsStartKeepsTheRaftIdAndTheProcess()
    {
        var first = _folder.Host();
        await first.ClaimAsync(HostFolder.Claim(), s_never);
        await first.MarkVoterAsync(Role.Nomad, s_never);
        var (pid, raftId) = (first.Pid(Role.Nomad), _folder.Record()!.RaftId);
        await _folder.KillAgentAsync();

        var second = _folder.Host();
        await second.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never);

        _folder.Record().ShouldNotBeNull().ShouldSatisfyAllConditions(r => r.RaftId.ShouldBe(raftId), r => r.WasVoter.ShouldBeTrue());
        second.Pid(Role.Nomad).ShouldBe(pid);
        _folder.Living.ShouldBe(1);
    }

    [Fact]
    public async Task RecordsSurviveTheAgent()
    {
        var first = _folder.Host();
        await first.ClaimAsync(HostFolder.Claim(), s_never);
        await first.ClaimAsync(HostFolder.Claim("alloc-9/server/c", Role.Consul), s_never);
        await first.ReleaseAsync("alloc-9/server/c", s_never);
        var pids = Role.All.Select(first.Pid).ToList();
        await _folder.KillAgentAsync();

        var second = _folder.Host();
        second.Holds("alloc-1/server/a").ShouldBeTrue();
        second.ReleasedAsync("alloc-1/server/a", s_never).IsCompleted.ShouldBeFalse("a claim on disk is held");
        await second.StartRecordedAsync(s_never);

        Role.All.Select(second.Pid).ShouldBe(pids);
        second.Servers.Select(s => (s.Record.Role, s.Record.State)).ShouldBe([(Role.Nomad, "running"), (Role.Consul, "lingering")], ignoreOrder: true);
    }

    [Fact]
    public async Task AfterAPowerCutEveryRecordedServerIsStartedWithoutNomad()
    {
        var first = _folder.Host();
        await first.ClaimAsync(HostFolder.Claim(), s_never);
        await first.ReleaseAsync("alloc-1/server/a", s_never);
        await first.StopAllAsync(s_never);
        await _folder.KillAgentAsync();
        _folder.Living.ShouldBe(0);

        var second = _folder.Host();
        await second.StartRecordedAsync(s_never);

        _folder.IsAlive(second.Pid(Role.Nomad)).ShouldBeTrue();
    }

    [Fact]
    public async Task AnUnknownRoleIsAnsweredWithTheKnownOnes()
    {
        var problem = (await Should.ThrowAsync<ProblemException>(() => _folder.Host().ClaimAsync(HostFolder.Claim(role: "vault"), s_never))).Problem;

        problem.ShouldSatisfyAllConditions(p => p.Code.ShouldBe("driver/unknown-role"), p => p.What.ShouldContain("\"vault\""), p => p.Why.ShouldContain("consul, nomad"), p => p.Fix.ShouldContain("role"));
        _folder.Living.ShouldBe(0);
    }

    [Fact]
    public async Task AServerThatLeavesCannotBeClaimed()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        await host.ReleaseAsync("alloc-1/server/a", s_never);
        using var agent = new CancellationTokenSource();
        var leaving = host.HandOverAsync(Role.Nomad, _ => { }, agent.Token);
        await ProcessFolder.Eventually("the intent to leave is on disk", () => _folder.Record() is { Leaving: true });

        (await Should.ThrowAsync<ProblemException>(() => host.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never))).Problem.Code.ShouldBe("driver/leaving");

        await agent.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => leaving);
        await _folder.KillAgentAsync();
        (await Should.ThrowAsync<ProblemException>(() => _folder.Host().ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never))).Problem.Code.ShouldBe("driver/leaving", "also at the next agent");
        _folder.Record()!.Claim.ShouldBeNull();
    }

    [Fact]
    public async Task ALeaveThatFailsLeavesNobodyOnTheLookOut()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        await host.ReleaseAsync("alloc-1/server/a", s_never);
        _folder.Products[Role.Nomad].LeaveFails = new TimeoutException("it took too long");

        await Should.ThrowAsync<TimeoutException>(() => host.HandOverAsync(Role.Nomad, _ => { }, s_never));

        _folder.Products[Role.Nomad].Watched!.IsCanceled.ShouldBeTrue();
    }

    [Fact]
    public async Task AServerThatWasLeavingWhenThePowerWentIsNotStartedUntilItsVoteIsNeeded()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        await host.ReleaseAsync("alloc-1/server/a", s_never);
        await host.StopAllAsync(s_never);
        ServerRecord.At(_folder.Paths.Server(Role.Nomad)).Write(_folder.Record()! with { Leaving = true });
        await _folder.KillAgentAsync();

        var next = _folder.Host();
        await next.StartRecordedAsync(s_never);
        next.Pid(Role.Nomad).ShouldBeNull();
        await next.StartLeavingAsync(Role.Nomad, s_never);

        _folder.IsAlive(next.Pid(Role.Nomad)).ShouldBeTrue();
    }

    [Fact]
    public async Task AClaimedServerIsNotHandedOver()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);

        (await host.HandOverAsync(Role.Nomad, _ => { }, s_never)).ShouldBeFalse();
        _folder.Record()!.Leaving.ShouldBeFalse();
        _folder.IsAlive(host.Pid(Role.Nomad)).ShouldBeTrue();
    }

    [Fact]
    public async Task AHandedOverServerIsGoneItsDataIsKeptAndTheNextOneIsAStranger()
    {
        var survivor = _folder.JoinCluster();
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var raftId = _folder.Record()!.RaftId;
        _folder.Products[Role.Nomad].Raft = new RaftView(survivor.Rpc, false, 10, 10, [new(survivor.Entry.RaftId, survivor.Rpc, Voter: true, Leader: true, Healthy: true)]);
        await host.ReleaseAsync("alloc-1/server/a", s_never);

        (await host.HandOverAsync(Role.Nomad, _ => { }, s_never)).ShouldBeTrue();

        _folder.Living.ShouldBe(0);
        _folder.Record().ShouldBeNull();
        host.Servers.ShouldBeEmpty();
        ServerRecord.At(Directory.GetDirectories(_folder.Paths.Retired).ShouldHaveSingleItem()).Read()!.RaftId.ShouldBe(raftId);
        _folder.Membership.Self!.Servers.ShouldBeEmpty();
        await host.ClaimAsync(HostFolder.Claim("alloc-2/server/b"), s_never);
        _folder.Record()!.RaftId.ShouldNotBe(raftId);
    }

    [Fact]
    public async Task TheMembershipTellsWhetherTheServerIsClaimed()
    {
        var peer = _folder.JoinCluster();
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var entry = _folder.Membership.Self!.Servers.ShouldHaveSingleItem();
        (entry.State, entry.ManagedBy, entry.RaftId).ShouldBe(("running", "job", _folder.Record()!.RaftId));
        _folder.Products[Role.Nomad].Joins[^1].ShouldBe([peer.JoinAddress], "it joins the others and not itself");
        await host.ReleaseAsync("alloc-1/server/a", s_never);

        _folder.Membership.Self!.Servers.ShouldHaveSingleItem().State.ShouldBe("lingering");
    }

    [Fact]
    public async Task OnlySignalsThatStopNothingArePassedOn()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        foreach (var signal in Enumerable.Range(1, 31).Except([Signals.SIGHUP, Signals.SIGUSR1]))
            Should.Throw<ProblemException>(() => host.Signal(Role.Nomad, signal)).Problem.Code.ShouldBe("driver/signal");
        _folder.IsAlive(host.Pid(Role.Nomad)).ShouldBeTrue();

        // The stand-in for a server does not handle it, and so tells that it came.
        var pid = host.Pid(Role.Nomad);
        host.Signal(Role.Nomad, Signals.SIGHUP);
        await ProcessFolder.Eventually("the signal has come", () => !_folder.IsAlive(pid));
    }

    [Fact]
    public void ASignalToNoServerIsAProblem() =>
        Should.Throw<ProblemException>(() => _folder.Host().Signal(Role.Nomad, Signals.SIGHUP)).Problem.Code.ShouldBe("driver/not-running");

    [Fact]
    public async Task EventsReachTheClaimAndNobodyElse()
    {
        var host = _folder.Host();
        await using var events = host.EventsAsync(s_never).GetAsyncEnumerator(s_never);
        var next = events.MoveNextAsync();
        host.Tell(Role.Nomad, "nobody claims this");
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        host.Tell(Role.Nomad, "now");

        (await next.AsTask().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBeTrue();
        (events.Current.Claim.TaskId, events.Current.Message).ShouldBe(("alloc-1/server/a", "now"));
    }

    [Fact]
    public async Task OthersHearWhichKeysAServerHasCopied()
    {
        _folder.JoinCluster();
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        Own().HasKeys(new HashSet<string> { "0b1e" }).ShouldBeFalse();

        _folder.Products[Role.Nomad].Keys.UnionWith(["7c2f", "0b1e"]);
        host.PublishEntries();
        var published = _folder.Membership.Current;
        host.PublishEntries();

        Own().HasKeys(new HashSet<string> { "0b1e", "7c2f" }).ShouldBeTrue();
        Own().HasKeys(new HashSet<string> { "0b1e", "ffff" }).ShouldBeFalse();
        Own().HasKeys(new HashSet<string>()).ShouldBeTrue("a Nomad of 1.9 or later needs none");
        _folder.Membership.Current.ShouldBeSameAs(published, "nothing changed since");

        KnownServer Own() => KnownServer.Of(_folder.Membership.Current, Role.Nomad).Single(s => s.NodeId == _folder.Node.Id);
    }

    [Fact]
    public async Task ATornRecordStartsNothing()
    {
        await _folder.Host().ClaimAsync(HostFolder.Claim(), s_never);
        File.WriteAllText(Path.Combine(_folder.Paths.Server(Role.Nomad), "record.json"), "{");

        Should.Throw<ProblemException>(_folder.Host).Problem.Code.ShouldBe("storage/torn");
    }

    [Fact]
    public async Task AnUndoneBootstrapStopsAllServersAndEndsTheirClaims()
    {
        var host = _folder.Host();
        await host.ClaimAsync(HostFolder.Claim(), s_never);
        var released = host.ReleasedAsync("alloc-1/server/a", s_never);
        await host.DropAllAsync(s_never);

        await released.WaitAsync(TimeSpan.FromSeconds(10));
        _folder.Living.ShouldBe(0);
        _folder.Record().ShouldBeNull();
        Directory.GetDirectories(_folder.Paths.Retired).ShouldHaveSingleItem();
    }

    // xunit knows no asynchronous end of a test class.
    public void Dispose() => _folder.DisposeAsync().AsTask().GetAwaiter().GetResult();
}
