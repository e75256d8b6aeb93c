// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Node;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>A product that no release knows goes through the flows beside the scheduler: nothing but its row and its own code is needed.</summary>
public sealed class FourthProductTests : IDisposable
{
    private readonly RoomStack _stack = new();

    private FakeRaft Fourth => _stack.Room.Raft("fourth");

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task ItIsBootstrappedAndPivotsOntoItsJobServer()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);

        _stack.Room.Jobs.ToDictionary(j => j.Key, j => j.Value.Count).ShouldBe(new Dictionary<string, int> { ["fourth-server"] = 1, ["nomad-server"] = 1 }, ignoreOrder: true);
        foreach (var product in RoomStack.Table.Stack)
            _stack.Room.Raft(product.Name).Servers.ShouldHaveSingleItem().Site.Bootstrap.ShouldBeFalse($"{product.Title} runs on its job server alone");
        Directory.GetDirectories(_stack.Agent(1).Context.Paths.Retired).Length.ShouldBe(2);
    }

    [Fact]
    public async Task StatusShowsItAsItShowsTheOthers()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);

        var status = await _stack.Agent(1).Status.ReadAsync(_stack.Limit);

        status.Cluster.InWords().ShouldBe("healthy");
        status.Servers.Select(s => (s.Role, s.ManagedBy, s.Voter, s.Healthy)).ShouldBe([("nomad", "job", true, true), ("fourth", "job", true, true)]);
        status.Engine["fourth"].Version.ShouldBe("1.0.0");
    }

    [Fact]
    public async Task NodesJoinAndItGetsAServerOnEach()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);

        Fourth.Servers.Select(s => (s.Site.Address, s.Voter)).ShouldBe([("127.0.0.1", true), ("127.0.0.2", true), ("127.0.0.3", true)], ignoreOrder: true);
        _stack.Room.Jobs["fourth-server"].Count.ShouldBe(3);
    }

    [Fact]
    public async Task ItReturnsFromAPowerCut()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var before = _stack.Room.Allocations.Where(a => a.Runs).Select(a => a.Id).ToList();
        _stack.Room.PowerCut();

        await _stack.SettleAsync();

        Fourth.Servers.Count(s => s.Runs).ShouldBe(3);
        _stack.Room.Allocations.Where(a => a.Runs).Select(a => a.Id).ShouldBe(before, "no allocation noticed");
    }

    [Fact]
    public async Task ADrainHandsItsServerOver()
    {
        await _stack.MakeAsync(nodes: 4, servers: 3);
        var left = Fourth.Servers[0].Site.Address;
        Fourth.FewestVoters = int.MaxValue;

        await DrainAsync(_stack, "n1");

        Fourth.Servers.Select(s => s.Site.Address).ShouldBe(["127.0.0.2", "127.0.0.3", "127.0.0.4"], ignoreOrder: true);
        left.ShouldBe("127.0.0.1");
        Fourth.FewestVoters.ShouldBe(3, "its successor was a voter before it left");
        Directory.GetDirectories(_stack.Agent(1).Context.Paths.Retired, "fourth-server-*").ShouldHaveSingleItem();
    }

    /// <summary>Orders the drain as the command does, and follows it until its end.</summary>
    internal static async Task DrainAsync(RoomStack stack, string node)
    {
        await stack.Agent(2).Drain.OrderAsync(node, new DrainRequest(), stack.Limit);
        await stack.UntilAsync($"the others to hear that no server of {node} is left", () =>
            Task.FromResult(!RoomStack.Table.Stack.Any(p => KnownServer.Of(stack.Agent(2).Context.Membership.Current, p.Name).Any(s => s.NodeName == node))));
        var run = stack.Agent(2).Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = node });
        await stack.Agent(2).Drain.FollowAsync(run, stack.Limit);
        run.Current.State.ShouldBe(Operation.Finished);
        await stack.SettleAsync();
    }
}
