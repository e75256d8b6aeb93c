// SPDX-License-Identifier: MPL-2.0
using Nomadstack.ColdBoot;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>The gate between servers that have lost state and nodes that have not, through whole power cuts.</summary>
public sealed class GateInTheRoomTests : IDisposable
{
    private readonly RoomStack _stack = new();

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task RolledBackServersStayShutOutWhateverIsWrittenAndNothingIsWrittenByThoseWhoWait()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);
        await MarksAsync(3);
        var before = _stack.Room.Note;
        await MarksAsync(3);
        _stack.Room.PowerCut();
        _stack.Room.Note = before;
        var barriers = _stack.Room.Barriers;

        for (var round = 0; round < 50; round++) await RoundAsync();

        _stack.Agent(1).Gate.Last.ShouldBeOfType<Gate.Closed>().StateLost.ShouldBeTrue();
        _stack.Room.Clients.ShouldBeEmpty();
        _stack.Room.Note.ShouldBe(before, "whoever waits does not go on with a history that is not its own");
        _stack.Room.Barriers.ShouldBe(barriers, "a closed gate writes nothing");
    }

    [Fact]
    public async Task AnAllocationThatTheServersLostKeepsTheNodeOutFromTheFirstMinuteOn()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);
        await MarksAsync(1);
        _stack.Room.PowerCut();
        _stack.Room.Forgotten.Add(_stack.Room.Allocations[0].Id);

        for (var round = 0; round < 5; round++) await RoundAsync();

        _stack.Agent(1).Gate.Last.ShouldBeOfType<Gate.Closed>().For.ShouldContain("1 allocation that runs here");
        var lost = _stack.Room.Allocations[0];
        _stack.Agent(1).Gate.Acceptable().Stopped.ShouldBe([(lost.Id, $"{lost.Job}.server[0]")]);
        // What was shown was less than what would be lost.
        Should.Throw<Nomadstack.Cluster.ProblemException>(() => _stack.Agent(1).Gate.Accept([])).Problem.Code.ShouldBe("recover/other-loss");
        _stack.Agent(1).Gate.Accept([lost.Id]);
    }

    [Fact]
    public async Task AnOperatorMayAcceptTheOlderState()
    {
        await RolledBackServersStayShutOutWhateverIsWrittenAndNothingIsWrittenByThoseWhoWait();

        _stack.Agent(1).Gate.Accept();
        await _stack.SettleAsync();

        _stack.Room.Clients.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task AcceptingWhereNothingIsLostIsRefused()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);

        Should.Throw<Nomadstack.Cluster.ProblemException>(() => _stack.Agent(1).Gate.Accept()).Problem.Code.ShouldBe("recover/nothing-to-accept");
    }

    /// <summary>hashicorp/nomad collects a node that was down for a day, and one that an operator purges.</summary>
    [Fact]
    public async Task ANodeThatTheClusterForgotWhileItWentOnComesBack()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var gone = _stack.Agent(3);
        _stack.Room.Clients.Remove("n3");
        _stack.Room.Registered.Remove("n3");
        gone.IsDead = true;
        _stack.Room.Agents.Remove(gone);
        await MarksAsync(2, 1, 2);

        await _stack.SettleAsync();

        _stack.Room.Clients.ShouldContain("n3");
    }

    [Fact]
    public async Task AForgottenNodeWaitsOnlyUntilTheHistoryGoesOn()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        _stack.Room.Clients.Remove("n3");
        _stack.Room.Registered.Remove("n3");
        (await _stack.Agent(3).Gate.LookAsync(_stack.Limit)).ShouldBeOfType<Gate.Closed>().For.ShouldContain("within minutes");

        await MarksAsync(1, 1, 2);

        (await _stack.Agent(3).Gate.LookAsync(_stack.Limit)).ShouldBeOfType<Gate.Open>().Forgotten.ShouldBeTrue();
    }

    [Fact]
    public async Task WhenTheJobThatCarriesTheMarksIsPurgedItIsWrittenAnewWithAllOfThem()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        await MarksAsync(3);
        var last = History.Parse(_stack.Room.Note.Text).Last;
        _stack.Room.Note = new StateNote("", 0);

        await MarksAsync(1);

        History.Parse(_stack.Room.Note.Text).Last.ShouldBe(last + 1);
    }

    private async Task MarksAsync(int count, params int[] nodes)
    {
        for (var mark = 0; mark < count; mark++)
        {
            foreach (var number in nodes.Length > 0 ? nodes : [.. Enumerable.Range(1, _stack.Agents.Count())]) await _stack.Agent(number).History.RoundAsync(_stack.Limit);
            await Task.Delay(TimeSpan.FromMinutes(1), _stack.Time, _stack.Limit);
        }
    }

    private async Task RoundAsync()
    {
        foreach (var agent in _stack.Agents.ToList()) await agent.RoundAsync(_stack.Limit);
        await Task.Delay(TimeSpan.FromMinutes(1), _stack.Time, _stack.Limit);
    }
}
