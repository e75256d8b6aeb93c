// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>
/// Every named effect of every flow fails once, before it or after it, with everything a machine can say, or ends its agent there. Each flow ends as if nothing had been.
/// The effects are those that the flow itself passes, found by one run that only listens.
/// </summary>
public sealed class EffectsThatFailTests
{
    private static readonly string[] s_ways = ["EIO", "ENOSPC", "EMFILE", "EXDEV", "time-out", "refusal", "SIGKILL"];

    public static TheoryData<string, string> OfABootstrap() => All(stack => Task.FromResult(stack), BootstrapAsync);

    public static TheoryData<string, string> OfAJoin() => All(stack => stack.MakeAsync(1, 3), JoinAsync);

    public static TheoryData<string, string> OfAColdBoot() => All(stack => stack.MakeAsync(3, 3), ColdBootAsync);

    public static TheoryData<string, string> OfAHandOver() => All(stack => stack.MakeAsync(4, 3), HandOverAsync);

    public static TheoryData<string, string> OfARecovery() => All(RecoveryTests.LoseTwoOfThreeAsync, RecoveryTests.RecoverAsync);

    [Theory]
    [MemberData(nameof(OfABootstrap), DisableDiscoveryEnumeration = true)]
    public Task ABootstrapEndsAllTheSame(string at, string how) => ConvergesAsync(at, how, Task.FromResult, BootstrapAsync);

    [Theory]
    [MemberData(nameof(OfAJoin), DisableDiscoveryEnumeration = true)]
    public Task AJoinEndsAllTheSame(string at, string how) => ConvergesAsync(at, how, stack => stack.MakeAsync(1, 3), JoinAsync);

    [Theory]
    [MemberData(nameof(OfAColdBoot), DisableDiscoveryEnumeration = true)]
    public Task AColdBootEndsAllTheSame(string at, string how) => ConvergesAsync(at, how, stack => stack.MakeAsync(3, 3), ColdBootAsync);

    [Theory]
    [MemberData(nameof(OfAHandOver), DisableDiscoveryEnumeration = true)]
    public Task AHandOverEndsAllTheSame(string at, string how) => ConvergesAsync(at, how, stack => stack.MakeAsync(4, 3), HandOverAsync);

    [Theory]
    [MemberData(nameof(OfARecovery), DisableDiscoveryEnumeration = true)]
    public Task ARecoveryEndsAllTheSame(string at, string how) => ConvergesAsync(at, how, RecoveryTests.LoseTwoOfThreeAsync, RecoveryTests.RecoverAsync);

    private static async Task BootstrapAsync(RoomStack stack)
    {
        // A failed one was undone, and is asked for again; a killed agent's continues.
        for (var attempt = 0; (await stack.Agent(1).BootstrapAsync(1, stack.Limit)).Current.State != Operation.Finished; attempt++) attempt.ShouldBeLessThan(2);
        await stack.SettleAsync();
    }

    private static async Task JoinAsync(RoomStack stack)
    {
        for (var number = 2; number <= 3; number++)
        {
            if (stack.Agent(number).Context.Membership.Current is not null) continue;
            try
            {
                await stack.Agent(number).JoinAsync(stack.Agent(1), stack.Limit);
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e))
            {
                // As the person does who typed it, or the init system.
                await stack.Agent(number).JoinAsync(stack.Agent(1), stack.Limit);
            }
        }

        await stack.SettleAsync();
    }

    private static async Task ColdBootAsync(RoomStack stack)
    {
        if (stack.Room.Clients.Count == 3) stack.Room.PowerCut();
        await stack.SettleAsync();
    }

    private static Task HandOverAsync(RoomStack stack) => FourthProductTests.DrainAsync(stack, "n1");

    private static TheoryData<string, string> All(Func<RoomStack, Task<RoomStack>> prepare, Func<RoomStack, Task> flow)
    {
        List<string> points = [];
        using var stack = new RoomStack();
        Task.Run(async () =>
        {
            await prepare(stack);
            Fault.Plan.Value = point =>
            {
                lock (points) points.Add(point);
                return null;
            };
            await flow(stack);
        }).GetAwaiter().GetResult();
        var rows = new TheoryData<string, string>();
        foreach (var point in points.Distinct())
        {
            foreach (var how in s_ways) rows.Add(point, how);
        }

        return rows;
    }

    private static async Task ConvergesAsync(string at, string how, Func<RoomStack, Task<RoomStack>> prepare, Func<RoomStack, Task> flow)
    {
        using var stack = new RoomStack();
        await prepare(stack);
        int left = 1, struck = 0;
        Fault.Plan.Value = point =>
        {
            if (point != at || Interlocked.Decrement(ref left) != 0) return null;
            Interlocked.Increment(ref struck);
            if (how == "SIGKILL") stack.KillAgents();
            return Failure(how);
        };
        try
        {
            await flow(stack);
        }
        catch (AgentKilled)
        {
            // What it had begun, the next one finds.
            await flow(stack);
        }

        struck.ShouldBe(1, $"{at} was passed");
        foreach (var product in RoomStack.Table.Stack)
        {
            var nodes = stack.Agents.Count();
            stack.Room.Raft(product.Name).Servers.Count(s => s is { Runs: true, Voter: true }).ShouldBe(nodes >= 3 ? 3 : 1, product.Title);
            stack.Room.Raft(product.Name).Servers.Count.ShouldBe(nodes >= 3 ? 3 : 1, product.Title);
        }
    }

    private static Exception Failure(string how) => how switch
    {
        "EIO" => new IOException("Input/output error", 5),
        "ENOSPC" => new IOException("No space left on device", 28),
        "EMFILE" => new IOException("Too many open files", 24),
        "EXDEV" => new IOException("Invalid cross-device link", 18),
        "time-out" => new TimeoutException("it took too long"),
        "SIGKILL" => new AgentKilled(),
        _ => new ProblemException(new("x/refused", "It was refused.", "So says the test.", "Try again.")),
    };

    /// <summary>No agent catches it.</summary>
    private sealed class AgentKilled : Exception;
}
