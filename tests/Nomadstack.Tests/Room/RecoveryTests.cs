// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Recovery;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>Two of three machines are lost, and one of them comes back after all.</summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly RoomStack _stack = new();

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task TheSurvivorLeadsAloneAndTheEpochOfEachProductRises()
    {
        await LoseTwoOfThreeAsync(_stack);
        foreach (var product in RoomStack.Table.Stack) _stack.Room.Raft(product.Name).Leader.ShouldBeNull();

        await RecoverAsync(_stack);

        foreach (var product in RoomStack.Table.Stack)
        {
            _stack.Room.Raft(product.Name).Servers.ShouldHaveSingleItem().Site.Address.ShouldBe("127.0.0.1");
            Epoch(1, product.Name).ShouldBeGreaterThan(0);
        }
    }

    [Fact]
    public async Task WhoReturnsIsRetiredBeforeItsServerIsAVoter()
    {
        await LoseTwoOfThreeAsync(_stack);
        await RecoverAsync(_stack);
        _stack.Return(2);
        var returned = _stack.Agent(2);
        _stack.Room.Exchange();

        await returned.RoundAsync(_stack.Limit);

        foreach (var product in RoomStack.Table.Stack)
        {
            Directory.GetDirectories(returned.Context.Paths.Retired, product.Name + "-server-*").ShouldHaveSingleItem();
            _stack.Room.Raft(product.Name).Servers.ShouldHaveSingleItem().Site.Address.ShouldBe("127.0.0.1");
        }
    }

    /// <summary>The last written setting wins, and the other half may have written last.</summary>
    [Fact]
    public async Task TheLeaderWithTheHigherEpochSaysItAgainIfTheSettingFalls()
    {
        await LoseTwoOfThreeAsync(_stack);
        await RecoverAsync(_stack);
        var product = RoomStack.Table.Scheduler.Name;
        var epoch = Epoch(1, product);
        _stack.Agent(1).Context.Membership.Set(SettingNames.RecoveryEpoch(product), epoch - 1);
        _stack.Agent(1).Context.Membership.Set(SettingNames.RecoveryKeep(product), new KeptServer(epoch - 1, Guid.NewGuid().ToString()).Text);

        await _stack.Agent(1).RoundAsync(_stack.Limit);

        Epoch(1, product).ShouldBe(epoch);
    }

    /// <summary>It answers, so it is not lost, and what it has is unknown: nothing is given up beside it.</summary>
    [Fact]
    public async Task BesideAnAgentThatIsTooOldToTellNothingIsGivenUp()
    {
        await _stack.MakeAsync(3, 3);
        _stack.Lose(3);
        _stack.Agent(2).IsTooOldToTell = true;

        (await Should.ThrowAsync<ProblemException>(() => _stack.Agent(1).Recover.PlanAsync(["n2", "n3"], _stack.Limit))).Problem.Code.ShouldBe("recover/agent-too-old");
    }

    internal static async Task<RoomStack> LoseTwoOfThreeAsync(RoomStack stack)
    {
        await stack.MakeAsync(3, 3);
        stack.Lose(2);
        stack.Lose(3);
        return stack;
    }

    /// <summary>As the command does, and the agent that finds an unfinished one.</summary>
    internal static async Task RecoverAsync(RoomStack stack)
    {
        var agent = stack.Agent(1);
        if (agent.Operations.Unfinished(RecoverOperation.Kind) is not { } run)
        {
            var plans = await agent.Recover.PlanAsync(["n2", "n3"], stack.Limit);
            if (plans.All(p => p is ProductPlan.Nothing)) return;
            run = agent.Operations.Begin(RecoverOperation.Kind, RecoverOperation.RequestOf(plans));
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(stack.Limit);
        var following = agent.Recover.FollowAsync(run, over.Token);
        try
        {
            await stack.UntilAsync("the survivor to lead alone", () => Task.FromResult(following.IsCompleted));
        }
        finally
        {
            // An agent that was killed in a round does nothing more.
            await over.CancelAsync();
            await Task.WhenAny(following);
        }

        await following;
        run.Current.State.ShouldBe(Operation.Finished);
    }

    private int Epoch(int number, string product) => _stack.Agent(number).Context.Membership.Settings!.RecoveryEpoch(product);
}
