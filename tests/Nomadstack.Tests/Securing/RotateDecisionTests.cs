// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Securing;
using Nomadstack.Security;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Securing;

/// <summary>What a rotation does next, for everything that it can find.</summary>
public sealed class RotateDecisionTests
{
    private static readonly Product s_nomad = Role.Row(Role.Nomad);

    public static TheoryData<string> Kinds => [.. RotationKinds.All];

    [Fact]
    public void WithNothingLeftItIsDone() => RotateDecision.Next(null).ShouldBeOfType<Next<RotateStep>.Done>();

    /// <summary>From every state that an interrupted rotation can leave, in any order of what the nodes do.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void ItEndsFromWhereverItStands(string what)
    {
        foreach (var start in AllFacts(what))
        {
            var facts = start;
            for (var steps = 0; ; steps++)
            {
                steps.ShouldBeLessThan(20, $"{start}");
                var verb = Verb(facts);
                if (verb == RotateVerb.Settle) break;
                facts = After(facts, verb);
            }
        }
    }

    [Fact]
    public void ANodeNeverMeetsACertificateOfACaThatItHasNotRead()
    {
        foreach (var facts in AllFacts(RotationKinds.Ca).Where(f => f.Unread.Count > 0))
            Verb(facts).ShouldBeOneOf(RotateVerb.MakeNext, RotateVerb.TrustNext, RotateVerb.AwaitNodes);
    }

    [Fact]
    public void TheOldCaIsForgottenOnlyWhenTheNewOneSigns()
    {
        foreach (var facts in AllFacts(RotationKinds.Ca).Where(f => Verb(f) == RotateVerb.TrustNextAlone)) facts.Order.ShouldBe(AuthorityOrder.NextSigns);
        foreach (var facts in AllFacts(RotationKinds.Ca).Where(f => Verb(f) == RotateVerb.Settle)) facts.Order.ShouldBe(AuthorityOrder.NextAlone);
    }

    [Fact]
    public void NoAgentEncryptsWithAGossipKeyThatAnotherCannotRead()
    {
        foreach (var facts in AllFacts(RotationKinds.Gossip).Where(f => Verb(f) is RotateVerb.ChooseNext or RotateVerb.RemoveOthers or RotateVerb.Settle))
            facts.AllHaveNext.ShouldBe(true);
        foreach (var facts in AllFacts(RotationKinds.Gossip).Where(f => Verb(f) is RotateVerb.RemoveOthers)) facts.NextCounts.ShouldBeTrue();
    }

    [Fact]
    public void AGossipKeyThatIsStillThereIsNotForgotten()
    {
        foreach (var facts in AllFacts(RotationKinds.Gossip).Where(f => f.OthersLeft)) Verb(facts).ShouldNotBe(RotateVerb.Settle);
    }

    [Fact]
    public void AnOldTokenIsRevokedOnlyWhenEveryNodeSaysTheNewOne()
    {
        foreach (var facts in AllFacts(RotationKinds.Tokens).Where(f => Verb(f) == RotateVerb.Settle)) (facts.NextCounts, facts.Unread.Count).ShouldBe((true, 0));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NothingIsSettledWhileANodeHasNotReadIt(string what)
    {
        foreach (var facts in AllFacts(what).Where(f => f.Unread.Count > 0)) Verb(facts).ShouldNotBe(RotateVerb.Settle);
    }

    private static RotateVerb Verb(RotationFacts facts) => RotateDecision.Next(facts).ShouldBeOfType<Next<RotateStep>.Step>().Of.Verb;

    private static RotationFacts After(RotationFacts facts, RotateVerb verb) => verb switch
    {
        RotateVerb.AwaitNodes => facts with { Unread = [] },
        RotateVerb.AwaitGossip => facts with { AllHaveNext = false },
        RotateVerb.MakeNext => facts with { HasNext = true },
        RotateVerb.TrustNext => facts with { Order = AuthorityOrder.OldSigns, Unread = ["n2"] },
        RotateVerb.SignWithNext => facts with { Order = AuthorityOrder.NextSigns, Unread = ["n2"] },
        RotateVerb.TrustNextAlone => facts with { Order = AuthorityOrder.NextAlone, Unread = ["n2"] },
        RotateVerb.InstallNext => facts with { AllHaveNext = true, OthersLeft = true },
        RotateVerb.ChooseNext => facts with { NextCounts = true, Unread = ["n2"] },
        RotateVerb.RemoveOthers => facts with { OthersLeft = false },
        _ => throw new InvalidOperationException($"{verb}"),
    };

    private static IEnumerable<RotationFacts> AllFacts(string what) =>
        from unread in new string[][] { [], ["n2"] }
        from hasNext in new[] { false, true }
        from nextCounts in new[] { false, true }
        from order in Enum.GetValues<AuthorityOrder>()
        from allHaveNext in new bool?[] { null, false, true }
        from othersLeft in new[] { false, true }
        where hasNext || !nextCounts
        select new RotationFacts(new(what, s_nomad), unread, hasNext, nextCounts, order, allHaveNext, othersLeft);
}
