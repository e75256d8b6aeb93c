// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Node;
using Nomadstack.Operations;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

/// <summary>Every property over every combination of facts.</summary>
public sealed class DrainDecisionTests
{
    private static readonly bool[] s_both = [false, true];

    private static readonly DrainFacts[] s_all =
        [.. from leader in s_both
            from known in s_both
            from draining in s_both
            from eligible in s_both
            from left in new string[][] { [], ["Nomad"], ["Nomad", "Consul"] }
            from stuck in s_both
            select new DrainFacts(leader, known, draining, eligible, left, stuck)];

    [Fact]
    public void ItIsNeverDoneWhileAServerIsLeftThatCouldMove() =>
        Each(f => f.Left.Count > 0 && !f.NobodyCanTakeThem, d => d.ShouldNotBeOfType<Next<DrainStep>.Done>());

    [Fact]
    public void ItIsNeverDoneWithoutALeaderToSaySo() => Each(f => !f.LeaderKnown, d => d.ShouldBeOfType<Next<DrainStep>.Step>());

    [Fact]
    public void ItIsNeverDoneWhileAllocationsStop() => Each(f => f is { LeaderKnown: true, NodeKnown: true, Draining: true }, d => d.ShouldBeOfType<Next<DrainStep>.Step>());

    [Fact]
    public void AServerThatCannotMoveIsNamed() =>
        DrainDecision.Next(new(true, true, false, false, ["Nomad"], true), "n1").ShouldBeOfType<Next<DrainStep>.Done>().Note.ShouldContain("Nomad stay on n1");

    [Fact]
    public void ADrainThatWasEndedIsRefused() =>
        Each(f => f is { LeaderKnown: true, NodeKnown: true, Draining: false, Eligible: true, Left.Count: > 0 }, d => d.ShouldBeOfType<Next<DrainStep>.Refused>());

    private static void Each(Func<DrainFacts, bool> of, Action<Next<DrainStep>> holds)
    {
        var cases = s_all.Where(of).ToList();
        cases.ShouldNotBeEmpty();
        foreach (var facts in cases) holds(DrainDecision.Next(facts, "n1"));
    }
}
