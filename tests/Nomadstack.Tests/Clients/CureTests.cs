// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Clients;
using Nomadstack.Tests.Room;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Clients;

public sealed class CureTests : IDisposable
{
    private readonly RoomStack _stack = new();

    public void Dispose() => _stack.Dispose();

    [Fact]
    public void NothingIsDoneBeforeAClientHadTheTimeToHealByItself() => CureDecision.Next(CureDecision.First - TimeSpan.FromSeconds(1), 0, default).ShouldBe(Cure.Nothing);

    [Fact]
    public void TheGentleCureComesFirstAndThenRestartsFurtherAndFurtherApart()
    {
        CureDecision.Next(CureDecision.First, 0, CureDecision.First).ShouldBe(Cure.Reload);
        var last = TimeSpan.Zero;
        for (var tried = 1; tried < 40; tried++)
        {
            var pause = Enumerable.Range(0, 4000).Select(s => TimeSpan.FromSeconds(s)).First(since => CureDecision.Next(TimeSpan.FromDays(1), tried, since) == Cure.Restart);
            pause.ShouldBeGreaterThanOrEqualTo(last);
            pause.ShouldBeInRange(CureDecision.First, CureDecision.Longest);
            last = pause;
        }

        last.ShouldBe(CureDecision.Longest);
    }

    [Fact]
    public async Task AClientThatRunsAndThatTheLeaderHasForDownIsReloadedThenRestartedAndItsServersStay()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);
        var cure = _stack.Agent(1).Cure;
        _stack.Room.Refused.Add("n1");
        await LookForAsync(cure, CureDecision.First + TimeSpan.FromSeconds(30));
        _stack.Room.Signals.ShouldBe(["nomad-client"]);
        var starts = _stack.Room.Starts;

        await LookForAsync(cure, CureDecision.First + TimeSpan.FromSeconds(30));

        _stack.Room.Starts.ShouldBe(starts + 1, "the client alone");
        _stack.Room.Refused.Clear();
        await LookForAsync(cure, TimeSpan.FromHours(1));
        _stack.Room.Starts.ShouldBe(starts + 1, "it is ready, and left alone");
    }

    /// <summary>SIGHUP would end it: a Nomad that has not begun to listen does not handle signals.</summary>
    [Fact]
    public async Task AClientThatIsStartingIsNotToldToReload()
    {
        await _stack.MakeAsync(nodes: 1, servers: 1);
        _stack.Agent(1).ClientsAreUp = false;
        _stack.Room.Refused.Add("n1");

        await LookForAsync(_stack.Agent(1).Cure, CureDecision.First + TimeSpan.FromSeconds(30));

        _stack.Room.Signals.ShouldBeEmpty();
    }

    private async Task LookForAsync(ClientCure cure, TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed <= time; passed += TimeSpan.FromSeconds(30))
        {
            await cure.LookAsync(_stack.Limit);
            await Task.Delay(TimeSpan.FromSeconds(30), _stack.Time, _stack.Limit);
        }
    }
}
