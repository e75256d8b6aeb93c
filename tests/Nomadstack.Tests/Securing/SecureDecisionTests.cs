// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Securing;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Securing;

/// <summary>What closing a running cluster does next, for everything that it can find.</summary>
public sealed class SecureDecisionTests
{
    private static readonly string[][] s_none = [[], ["n2"]];

    [Fact]
    public void ItEndsFromEveryStateThatAnInterruptedOneCanLeave()
    {
        foreach (var start in All().Where(f => f.Released.Count == 0 && !(f.Phase == SettingNames.Plain && f.WasPreparing)))
        {
            var facts = start;
            var steps = 0;
            while (SecureDecision.Next(facts) is Next<SecureStep>.Step { Of: var step })
            {
                steps++.ShouldBeLessThan(15, $"{start}");
                facts = After(facts, step);
            }

            SecureDecision.Next(facts).ShouldBeOfType<Next<SecureStep>.Done>();
            facts.Phase.ShouldBe(SettingNames.Secure);
        }
    }

    [Fact]
    public void NothingIsClosedWhileANodeIsAwayOrHasNoCertificatesOrTheClusterIsNotHealthy()
    {
        foreach (var facts in All().Where(f => SecureDecision.Next(f) is Next<SecureStep>.Step { Of: SecureStep.Close }))
        {
            facts.Phase.ShouldBe(SettingNames.Preparing);
            (facts.Away.Count, facts.Unread.Count, facts.Lacks).ShouldBe((0, 0, null));
        }
    }

    [Fact]
    public void AClusterWithAnAgentOfTheFirstReleaseIsRefusedByName()
    {
        foreach (var facts in All().Where(f => f.Released.Count > 0 && f.Phase is SettingNames.Plain or SettingNames.Preparing && f.Released.Count > 0))
        {
            if (facts.WasPreparing && facts.Phase == SettingNames.Plain) continue;
            var refused = SecureDecision.Next(facts).ShouldBeOfType<Next<SecureStep>.Refused>();
            (refused.Problem.Code, refused.Problem.Unsafe).ShouldBe(("secure/old-release", true));
            refused.Problem.What.ShouldContain("n2");
        }
    }

    [Fact]
    public void WhatSomebodyUndidIsNotBegunAgain()
    {
        foreach (var facts in All().Where(f => f is { Phase: SettingNames.Plain, WasPreparing: true }))
            SecureDecision.Next(facts).ShouldBeOfType<Next<SecureStep>.Refused>().Problem.Code.ShouldBe("secure/undone");
    }

    [Fact]
    public void ItIsNotSaidToBeSecureBeforeEveryAgentThatAnswersIsClosed()
    {
        foreach (var facts in All().Where(f => SecureDecision.Next(f) is Next<SecureStep>.Step { Of: SecureStep.Settle }))
            (facts.Open.Count, facts.Uninitialised.Count).ShouldBe((0, 0));
    }

    [Fact]
    public void EveryWaitSaysWhatItWaitsFor()
    {
        foreach (var facts in All().Where(f => SecureDecision.Next(f) is Next<SecureStep>.Step { Of: SecureStep.AwaitNodes or SecureStep.AwaitAgents or SecureStep.AwaitHealth }))
            SecureDecision.WaitsFor(facts).ShouldNotBeEmpty($"{facts}");
    }

    private static SecureFacts After(SecureFacts facts, SecureStep step) => step switch
    {
        SecureStep.Prepare => facts with { Phase = SettingNames.Preparing, WasPreparing = true },
        SecureStep.AwaitNodes when facts.Away.Count > 0 => facts with { Away = [], Unread = ["n2"] },
        SecureStep.AwaitNodes when facts.Unread.Count > 0 => facts with { Unread = [] },
        SecureStep.AwaitNodes or SecureStep.AwaitHealth => facts with { Lacks = null },
        SecureStep.Close => facts with { Phase = SettingNames.Closing, Open = ["n1"], Uninitialised = ["Nomad"] },
        SecureStep.AwaitAgents when facts.Uninitialised.Count > 0 => facts with { Uninitialised = [] },
        SecureStep.AwaitAgents => facts with { Open = [] },
        SecureStep.Settle => facts with { Phase = SettingNames.Secure, Lacks = "a leader" },
        _ => throw new InvalidOperationException($"{step}"),
    };

    private static IEnumerable<SecureFacts> All() =>
        from phase in new[] { SettingNames.Plain, SettingNames.Preparing, SettingNames.Closing, SettingNames.Secure }
        from was in new[] { false, true }
        from released in s_none
        from away in s_none
        from unread in s_none
        from open in s_none
        from uninitialised in s_none
        from lacks in new[] { null, "a voter" }
        select new SecureFacts(phase, was, released, away, unread, open, uninitialised, lacks);
}
