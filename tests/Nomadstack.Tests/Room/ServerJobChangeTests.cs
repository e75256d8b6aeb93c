// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Node;
using Nomadstack.Products;
using Nomadstack.Servers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>Server jobs that change: by a newer release, by an operator's count, by a drain whose follower is killed.</summary>
public sealed class ServerJobChangeTests : IDisposable
{
    private readonly RoomStack _stack = new();

    private FakeRaft Fourth => _stack.Room.Raft("fourth");

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task ANewerReleaseMigratesTheJobsAndNoServerIsStartedAnew()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var starts = _stack.Room.Starts;
        _stack.Room.NewestSchema = 7;

        await _stack.UntilAsync("both jobs migrated, every server claimed by an allocation of the new job", async () =>
            _stack.Room.Jobs.Values.All(j => j.HasSchema) && await SettledAsync());

        _stack.Room.Starts.ShouldBe(starts);
        _stack.Room.Jobs["fourth-server"].Count.ShouldBe(3);
        foreach (var raft in RoomStack.Table.Stack.Select(p => _stack.Room.Raft(p.Name))) raft.Servers.Count(s => s is { Runs: true, Voter: true }).ShouldBe(3);
    }

    [Fact]
    public async Task AnOlderAgentInTheClusterKeepsTheJobAsItIs()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        _stack.Agent(2).Context.Membership.UpdateSelf(self => self with { Version = "0.1.0" });
        foreach (var number in new[] { 1, 3 }) _stack.Agent(number).Context.Membership.UpdateSelf(self => self with { Version = "0.2.0" });
        _stack.Room.Exchange();
        _stack.Room.NewestSchema = 7;

        // The first reading of each round is of the round before it.
        foreach (var _ in Enumerable.Range(0, 3))
        {
            foreach (var agent in _stack.Agents.Where(a => a.Context.Node.Name != "n2")) await agent.RoundAsync(_stack.Limit);
        }

        _stack.Room.Jobs.Values.ShouldAllBe(j => !j.HasSchema);
    }

    [Fact]
    public async Task ACountLoweredByHandIsRaisedAgainAndNoVoterLeaves()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        Fourth.FewestVoters = int.MaxValue;

        _stack.Room.Register(new RoomProduct(RoomStack.Table["nomad"], _stack.Room).ServerJob(RoomStack.Table["fourth"], 1, _stack.Agent(1).Context.Node.Ports), enforceIndex: null);
        await _stack.Agent(1).Keepers[0].RoundAsync(clientRuns: true, _stack.Limit);
        Fourth.Servers.Count.ShouldBe(3, "those that were released linger");
        await _stack.SettleAsync();

        _stack.Room.Jobs["fourth-server"].Count.ShouldBe(3);
        Fourth.FewestVoters.ShouldBe(int.MaxValue, "none left");
    }

    /// <summary>The cluster wants three of its five servers from now on.</summary>
    [Fact]
    public async Task ServersThatAreTooManyLeaveOneAfterTheOther()
    {
        await _stack.MakeAsync(nodes: 5, servers: 5);
        _stack.Agent(1).Context.Membership.Set(Nomadstack.Peers.SettingNames.MaxServers, 3);
        _stack.Room.Exchange();
        _stack.Room.Register(new RoomProduct(RoomStack.Table["nomad"], _stack.Room).ServerJob(RoomStack.Table["fourth"], 3, _stack.Agent(1).Context.Node.Ports), enforceIndex: null);
        await _stack.Room.PlaceAsync(RoomStack.Table["nomad"], _stack.Limit);
        _stack.Room.Exchange();
        // The one whose turn comes last looks first.
        var lingering = _stack.Agents.Where(a => a.Host.Server("fourth") is { Record.Claim: null }).OrderByDescending(a => a.Host.Server("fourth")!.Value.Record.RaftId, StringComparer.Ordinal).ToList();
        lingering.Count.ShouldBe(2);

        foreach (var agent in lingering) await agent.Keepers[0].RoundAsync(clientRuns: true, _stack.Limit);

        Fourth.Servers.Count.ShouldBe(4);
        lingering[0].Keepers[0].WaitsFor!.ShouldContain("to leave first");
        await _stack.UntilAsync("the other one to leave", () => Task.FromResult(Fourth.Servers.Count == 3));
    }

    [Fact]
    public async Task ADrainIsFollowedOnByTheNextAgentAndIsNotDoneBeforeTheServerHasLeft()
    {
        await _stack.MakeAsync(nodes: 4, servers: 3);
        var agent = _stack.Agent(2);
        await agent.Drain.OrderAsync("n1", new DrainRequest(), _stack.Limit);
        agent.Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = "n1" });
        agent.IsDead = true;

        var next = _stack.Agent(2);
        var run = next.Operations.AllUnfinished(DrainOperation.Kind).ShouldHaveSingleItem();
        await _stack.UntilAsync("the drained node's servers to move", () =>
            Task.FromResult(!RoomStack.Table.Stack.Any(p => KnownServer.Of(next.Context.Membership.Current, p.Name).Any(s => s.NodeName == "n1"))));
        await next.Drain.FollowAsync(run, _stack.Limit);

        run.Current.State.ShouldBe(Operation.Finished);
        Fourth.Servers.ShouldAllBe(s => s.Site.Address != "127.0.0.1");
    }

    [Fact]
    public async Task ADrainThatWasEndedIsNotDone()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var agent = _stack.Agent(2);
        await agent.Drain.OrderAsync("n1", new DrainRequest(), _stack.Limit);
        await agent.Drain.OrderAsync("n1", new DrainRequest(Disable: true), _stack.Limit);
        var run = agent.Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = "n1" });

        await agent.Drain.FollowAsync(run, _stack.Limit);

        run.Current.Problem!.Code.ShouldBe("drain/ended");
    }

    private async Task<bool> SettledAsync()
    {
        var api = new RoomProduct(RoomStack.Table["nomad"], _stack.Room).Scheduler(_stack.Agent(1).Context.Endpoints.Of(_stack.Agent(1).Host.Server("nomad")!.Value.Instance.Site));
        foreach (var product in RoomStack.Table.Stack)
        {
            if (!await ServerJobs.IsSettledAsync(api, product, _stack.Limit)) return false;
        }

        return true;
    }
}
