// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Nomadstack.Recovery;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Recovery;

/// <summary>What goes on after a majority is lost, and when nobody may decide that.</summary>
public sealed class RecoveryPlanTests
{
    /// <summary>What is known of a voter.</summary>
    public enum Seen
    {
        Silent,

        /// <summary>Its node does not answer, and a person said that it never returns.</summary>
        GivenUp,
        Newest,
        Older,
        Blank,
        Unreadable,

        /// <summary>Its node answers and has no such server any more: a new disk.</summary>
        Gone,

        /// <summary>It has data from before an earlier recovery.</summary>
        OfAnotherEpoch,
    }

    [Fact]
    public void TheOnlySurvivorGoesOn()
    {
        var plan = Plan([Seen.Newest, Seen.GivenUp, Seen.GivenUp]).ShouldBeOfType<ProductPlan.GiveUp>();

        plan.Keep.Node.ShouldBe("n0");
        plan.Epoch.ShouldBe(RecoveryPlan.EpochAfter(0, "id0"));
        plan.Lost.ShouldBe(["n1", "n2"]);
        plan.InWords[0].ShouldContain("term 3, index 100");
    }

    [Fact]
    public void WhoMayReturnIsNamedWithWhatIsAtStake()
    {
        var refused = Plan([Seen.Newest, Seen.Silent, Seen.GivenUp]).ShouldBeOfType<ProductPlan.Refused>().Problem;

        refused.Code.ShouldBe("recover/may-return");
        refused.What.ShouldContain("n1");
        refused.What.ShouldNotContain("n2");
        refused.Fix.ShouldContain("--accept-data-loss n1");
        refused.Unsafe.ShouldBeTrue();
    }

    [Fact]
    public void ANodeThatAnswersWithoutTheDataNeedsNoConsent() =>
        Plan([Seen.Newest, Seen.Gone, Seen.Blank]).ShouldBeOfType<ProductPlan.GiveUp>().Blank.Select(b => b.Node).ShouldBe(["n2"]);

    [Fact]
    public void AMajorityThatIsHereIsNeverGivenUp() =>
        Plan([Seen.Newest, Seen.Older, Seen.GivenUp]).ShouldBeOfType<ProductPlan.Refused>().Problem.Code.ShouldBe("recover/majority-is-here");

    [Fact]
    public void TheBetterOfTwoSurvivorsIsKeptAndTheOtherStartsBlank()
    {
        var plan = Plan([Seen.Older, Seen.Newest, Seen.GivenUp, Seen.GivenUp, Seen.GivenUp]).ShouldBeOfType<ProductPlan.GiveUp>();

        plan.Keep.Node.ShouldBe("n1");
        plan.Blank.Select(b => b.Node).ShouldBe(["n0"]);
    }

    [Fact]
    public void WhatCannotBeReadIsGivenUpByNameOnly()
    {
        Plan([Seen.Newest, Seen.Unreadable, Seen.GivenUp]).ShouldBeOfType<ProductPlan.Refused>().Problem.Code.ShouldBe("recover/unreadable");
        Plan([Seen.Newest, Seen.Unreadable, Seen.GivenUp], "n1").ShouldBeOfType<ProductPlan.GiveUp>().Blank.Select(b => b.Node).ShouldBe(["n1"]);
    }

    [Fact]
    public void ASurvivorIsNotGivenUpByMistake() =>
        Plan([Seen.Newest, Seen.GivenUp, Seen.GivenUp], "n0").ShouldBeOfType<ProductPlan.Refused>().Problem.Code.ShouldBe("recover/is-here");

    [Fact]
    public void WithoutAnySurvivorAnArchiveIsNeeded() =>
        Plan([Seen.Gone, Seen.GivenUp, Seen.OfAnotherEpoch]).ShouldBeOfType<ProductPlan.Refused>().Problem.Code.ShouldBe("recover/no-survivor");

    [Fact]
    public void WithALeaderThereIsNothingToDo()
    {
        var facts = Facts([Seen.Newest, Seen.Older, Seen.Silent], []);
        var led = facts with { Servers = [facts.Servers[0] with { Survey = facts.Servers[0].Survey! with { Leader = "10.0.0.9:4647" } }, .. facts.Servers.Skip(1)] };

        RecoveryPlan.For(led).ShouldBeOfType<ProductPlan.Nothing>().Why.ShouldContain("10.0.0.9:4647");
    }

    [Fact]
    public void IfTheKeptServerIsLostBeforeItsRecoveryEndedTheNextOneIsNewer()
    {
        // n1 was to go on alone, and burnt.
        var facts = Facts([Seen.Newest, Seen.GivenUp, Seen.GivenUp], []) with { Asked = RecoveryPlan.EpochAfter(0, "id1") };

        RecoveryPlan.For(facts).ShouldBeOfType<ProductPlan.GiveUp>().Epoch.ShouldBeGreaterThan(RecoveryPlan.EpochAfter(0, "id1") / 4096 * 4096 + 4095, "what n1 has is older than that, wherever it turns up");
    }

    /// <summary>Both said that the other one never returns. When they meet, one of them must be the older.</summary>
    [Fact]
    public void TwoHalvesThatKeepDifferentServersBeginDifferentEpochs()
    {
        var ids = Enumerable.Range(0, 100).Select(i => new Guid(i, 1, 2, [3, 4, 5, 6, 7, 8, 9, 10]).ToString()).ToList();

        ids.Select(id => RecoveryPlan.EpochAfter(5000, id)).Distinct().Count().ShouldBeGreaterThan(95);
        ids.ShouldAllBe(id => RecoveryPlan.EpochAfter(5000, id) > 8191 && RecoveryPlan.EpochAfter(5000, id) < 12288);
    }

    /// <summary>All combinations for 1, 3 and 5 voters: a plan or a refusal, and no plan loses a write that some survivor has.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void EveryCombinationEndsInAPlanOrARefusal(int voters)
    {
        var plans = 0;
        foreach (var seen in Combinations(voters))
        {
            var facts = Facts(seen, []);
            if (RecoveryPlan.For(facts) is not ProductPlan.GiveUp plan)
            {
                continue;
            }

            plans++;
            var kept = plan.Keep.Survey!;
            var why = string.Join(' ', seen);
            foreach (var survivor in facts.Servers.Where(s => s.Survey is { State: ServerSurvey.Present, Epoch: 0 }).Select(s => s.Survey!))
                (kept.LastTerm, kept.LastIndex).CompareTo((survivor.LastTerm, survivor.LastIndex)).ShouldBeGreaterThanOrEqualTo(0, why);
            seen.ShouldNotContain(Seen.Silent, why);
            seen.ShouldNotContain(Seen.Unreadable, why);
            seen.Count(s => s is Seen.Newest or Seen.Older).ShouldBeLessThanOrEqualTo(voters / 2, $"a majority decides itself: {why}");
            plan.Epoch.ShouldBeGreaterThan(0);
        }

        if (voters > 1) plans.ShouldBeGreaterThan(0);
    }

    private static ProductPlan Plan(Seen[] seen, params string[] alsoGivenUp) => RecoveryPlan.For(Facts(seen, alsoGivenUp));

    private static RecoveryFacts Facts(Seen[] seen, IReadOnlyList<string> alsoGivenUp)
    {
        IReadOnlyList<SurveyPeer> peers = [.. seen.Select((_, i) => new SurveyPeer($"id{i}", $"10.0.0.{i}:4647", true))];
        var servers = seen.Select((s, i) => (Seen: s, Server: new KnownRaft($"n{i}", $"id{i}", SurveyOf(s, i, peers)))).Where(s => s.Seen != Seen.Gone).Select(s => s.Server).ToList();
        return new(
            "nomad", "Nomad", servers,
            seen.Select((s, i) => (s, i)).Where(s => s.s == Seen.GivenUp).Select(s => $"n{s.i}").Concat(alsoGivenUp).ToHashSet(),
            Epoch: 0,
            Asked: 0,
            Answered: seen.Select((s, i) => (s, i)).Where(s => s.s is not (Seen.Silent or Seen.GivenUp)).Select(s => $"n{s.i}").ToHashSet(),
            NodeAt: seen.Select((_, i) => i).ToDictionary(i => $"10.0.0.{i}:4647", i => $"n{i}"));
    }

    private static ServerSurvey? SurveyOf(Seen seen, int number, IReadOnlyList<SurveyPeer> peers) => seen switch
    {
        Seen.Newest => Present(number, 3, 100, peers),
        // A higher index of a lower term is not newer.
        Seen.Older => Present(number, 2, 200, peers),
        Seen.OfAnotherEpoch => Present(number, 9, 900, peers) with { Epoch = -1 },
        Seen.Blank => new("nomad", $"id{number}", $"10.0.0.{number}:4647", ServerSurvey.Blank, null, 0, false, null, 0, 0, 0, 0, []),
        Seen.Unreadable => new("nomad", $"id{number}", $"10.0.0.{number}:4647", ServerSurvey.Unreadable, "page 3 is torn", 0, false, null, 0, 0, 0, 0, []),
        _ => null,
    };

    private static ServerSurvey Present(int number, long term, long index, IReadOnlyList<SurveyPeer> peers) =>
        new("nomad", $"id{number}", $"10.0.0.{number}:4647", ServerSurvey.Present, null, 0, false, null, term, term, index, 5, peers);

    private static IEnumerable<Seen[]> Combinations(int count) =>
        count == 0 ? [[]] : Combinations(count - 1).SelectMany(rest => Enum.GetValues<Seen>().Select(first => (Seen[])[first, .. rest]));
}
