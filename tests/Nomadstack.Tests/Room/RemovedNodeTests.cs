// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>Removed means out: of raft, gossip and the scheduler, also when the node comes back with what it had.</summary>
public sealed class RemovedNodeTests : IDisposable
{
    private readonly RoomStack _stack = new();

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task ItsServerThatComesBackIsTakenOutOfRaftByTheLeadersAgent()
    {
        await GoneAsync();
        // It starts as for a cold boot, and autopilot takes it in.
        var site = ServerSite.Job(RoomStack.Table["fourth"], _stack.Agent(4).Context.Node, _stack.Agent(4).Context.Paths, Guid.NewGuid().ToString());
        _stack.Room.Raft("fourth").Enter(site).Runs = true;
        _stack.Room.Pass();
        _stack.Room.Raft("fourth").Servers.Count(s => s.Voter).ShouldBe(4);

        foreach (var number in new[] { 1, 2, 3 }) await _stack.Agent(number).RoundAsync(_stack.Limit);

        _stack.Room.Raft("fourth").Servers.Select(s => s.Site.Address).ShouldNotContain("127.0.0.4");
        _stack.Room.Raft("fourth").Servers.Count.ShouldBe(3);
    }

    [Fact]
    public async Task TheSchedulerForgetsIt()
    {
        await GoneAsync();
        _stack.Room.Registered.ShouldContain("n4");

        foreach (var number in new[] { 1, 2, 3 }) await _stack.Agent(number).RoundAsync(_stack.Limit);

        _stack.Room.Registered.ShouldNotContain("n4");
    }

    /// <summary>Three nodes with servers and a fourth that is off, removed.</summary>
    private async Task GoneAsync()
    {
        await _stack.MakeAsync(nodes: 4, servers: 3);
        var gone = _stack.Agent(4);
        _stack.Room.Clients.Remove("n4");
        gone.IsDead = true;
        _stack.Agent(1).Context.Membership.RemoveNode(gone.Context.Node.Id);
        _stack.Room.Agents.Remove(gone);
        _stack.Room.Exchange();
    }
}
