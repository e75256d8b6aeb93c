// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Servers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Servers;

/// <summary>Every property is checked over every combination of facts, so that no corner escapes it (I5).</summary>
public sealed class LingerDecisionTests
{
    private static readonly bool[] s_both = [false, true];

    private static readonly LingerFacts[] s_all =
        [.. from leader in s_both
            from inside in s_both
            from successors in Enumerable.Range(0, 7)
            from desired in new int?[] { null, 1, 3, 5 }
            from voter in s_both
            from keyless in Enumerable.Range(0, 3)
            from before in new[] { null, "n2" }
            select new LingerFacts(leader, inside, successors, desired, voter, keyless, before)];

    [Fact]
    public void NothingIsDecidedWithoutALeader() => Each(f => !f.LeaderKnown, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>().For.ShouldContain("leader"));

    [Fact]
    public void TheLastVoterNeverLeaves() => Each(f => f is { InConfiguration: true, Successors: 0 }, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>());

    [Fact]
    public void NothingLeavesWhileSuccessorsAreFewerThanDesired() =>
        Each(f => f.InConfiguration && f.Successors < f.Desired, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>());

    [Fact]
    public void AJobThatIsStoppedOrUnreadableIsNoReasonToLeave() => Each(f => f is { InConfiguration: true, Desired: null }, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>());

    [Fact]
    public void AMemberOfTheConfigurationIsNeverRetiredWithoutALeave() => Each(f => f.InConfiguration, (_, d) => d.ShouldNotBeOfType<LingerDecision.Retire>());

    [Fact]
    public void OneOutsideTheConfigurationHasNothingToLeave() => Each(f => !f.InConfiguration, (_, d) => d.ShouldNotBeOfType<LingerDecision.Leave>());

    [Fact]
    public void AFormerVoterOutsideTheConfigurationIsKeptUntilASuccessorHoldsItsData() =>
        Each(f => f is { LeaderKnown: true, InConfiguration: false, WasVoter: true }, (f, d) => (d is LingerDecision.Retire).ShouldBe(f.Successors > 0));

    [Fact]
    public void OneThatNeverWasAVoterAndIsOutsideTheConfigurationIsRetired() =>
        Each(f => f is { LeaderKnown: true, InConfiguration: false, WasVoter: false }, (_, d) => d.ShouldBeOfType<LingerDecision.Retire>());

    [Fact]
    public void ItLeavesOnceEnoughSuccessorsAreThere() =>
        Each(f => f is { LeaderKnown: true, InConfiguration: true, Successors: > 0, Desired: not null, Before: null } && f.Successors >= f.Desired, (_, d) => d.ShouldBeOfType<LingerDecision.Leave>());

    [Fact]
    public void VotersWithoutTheKeysOfThisServerAreNoSuccessors() =>
        Each(f => f is { LeaderKnown: true, InConfiguration: true, WithoutKeys: > 0 } && f.Successors < f.Desired, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>().For.ShouldContain("keyring"));

    [Fact]
    public void NoTwoLeaveAtOnce() => Each(f => f is { InConfiguration: true, Before: not null }, (_, d) => d.ShouldBeOfType<LingerDecision.Wait>());

    [Fact]
    public void AWaitSaysForWhat() => Each(_ => true, (_, d) => (d as LingerDecision.Wait)?.For.ShouldNotBeNullOrWhiteSpace());

    [Fact]
    public void AWaitForSuccessorsCountsThem() =>
        LingerDecision.Next(new(true, true, 2, 3, true)).ShouldBeOfType<LingerDecision.Wait>().For.ShouldContain("2 of 3");

    private static void Each(Func<LingerFacts, bool> of, Action<LingerFacts, LingerDecision> holds)
    {
        var cases = s_all.Where(of).ToList();
        cases.ShouldNotBeEmpty();
        foreach (var facts in cases)
        {
            try
            {
                holds(facts, LingerDecision.Next(facts));
            }
            catch (ShouldAssertException e)
            {
                throw new ShouldAssertException($"{facts}: {e.Message}", e);
            }
        }
    }
}
