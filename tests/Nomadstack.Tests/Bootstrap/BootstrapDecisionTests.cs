// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;
using Nomadstack.Cluster;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Bootstrap;

/// <summary>Every property is checked over every combination of facts: of the scheduler alone, and of the scheduler with a product that comes before it.</summary>
public sealed class BootstrapDecisionTests
{
    private static readonly bool[] s_both = [false, true];

    private static readonly ProductFacts[] s_products =
        [.. from bits in Enumerable.Range(0, 256)
            select new ProductFacts(Bit(bits, 0), Bit(bits, 1), Bit(bits, 2), Bit(bits, 3), Bit(bits, 4), Bit(bits, 5), Bit(bits, 6), Bit(bits, 7))];

    private static readonly Product s_scheduler = Role.Row(Role.Nomad), s_other = Role.Row(Role.Consul);

    /// <summary>A product that no release has, with its own place in the order and no client.</summary>
    private static readonly Product s_fourth = new() { Name = "fourth", Title = "Fourth", Ports = [new("fourth", ProductPort.Server, ProductPort.Http, 9001, "Fourth HTTP")] };

    public static TheoryData<string> Stacks => ["nomad", "consul,nomad", "consul,nomad,fourth", "fourth,nomad"];

    [Fact]
    public void EveryCombinationHasAStepThatCanBeDescribed() => Each(_ => true, (_, step) => step.InWords.Length > 0);

    [Fact]
    public void TheSameFactsGiveTheSameStep() => Each(_ => true, (f, step) => BootstrapDecision.Next(f with { }) == step);

    [Fact]
    public void NothingComesBeforeTheClusterIsMinted() => Each(f => !f.ClusterMinted, (_, step) => step.Verb == BootstrapVerb.MintCluster);

    /// <summary>What a client or a job finds before the archive's state is there would be somebody else's.</summary>
    [Fact]
    public void AnArchivesStateIsRestoredBehindTheFirstTokensAndBeforeTheFencedClientAndTheJobs()
    {
        var blank = new ProductFacts(BootstrapStarted: true, LeaderKnown: true, Closed: true, false, false, false, false, ClientRuns: false) { Restored = false };

        Of(blank with { LeaderKnown = false }).Verb.ShouldBe(BootstrapVerb.AwaitLeader);
        Of(blank with { Closed = false }).Verb.ShouldBe(BootstrapVerb.Close);
        Of(blank).Verb.ShouldBe(BootstrapVerb.Restore);
        Of(blank with { Restored = true }).Verb.ShouldBe(BootstrapVerb.StartClient);

        static BootstrapStep Of(ProductFacts facts) => BootstrapDecision.Next(new(true, [(s_scheduler, facts)], false, false, false));
    }

    [Fact]
    public void TheClusterIsMintedOnce() => Each(f => f.ClusterMinted, (_, step) => step.Verb != BootstrapVerb.MintCluster);

    [Fact]
    public void AStepIsAboutAProductOfTheClusterOrAboutNone() => Each(_ => true, (f, step) => step.Product is null || f.Products.Any(p => p.Product == step.Product));

    [Fact]
    public void NoJobIsRegisteredBeforeTheNodeIsReady() => Each(f => !f.NodeReady, (_, step) => step.Verb != BootstrapVerb.RegisterJob);

    /// <summary>It has been registered: a job server that is started once more cannot be read for a moment.</summary>
    [Fact]
    public void NobodyWaitsForTheNodeToRegisterOnceTheBootstrapServersAreGone() =>
        Each(f => f.Products.All(p => p.Facts.BootstrapGone), (_, step) => step.Verb != BootstrapVerb.AwaitNodeReady);

    [Fact]
    public void NoClientThatIsFencedStartsAndNoJobIsRegisteredBeforeEveryProductIsClosed() =>
        Each(f => f.Products.Any(p => p.Facts is { Closed: false, BootstrapGone: false }), (_, step) => step.Verb != BootstrapVerb.RegisterJob && step is not { Verb: BootstrapVerb.StartClient, Product.FencesClient: true });

    [Fact]
    public void WhatIsClosedIsNotClosedAgain() => EachProduct(p => p.Closed || p.BootstrapGone, BootstrapVerb.Close);

    [Fact]
    public void AJobIsRegisteredOnlyWhileItIsNot() => EachProduct(p => p.JobRegistered, BootstrapVerb.RegisterJob);

    [Fact]
    public void NoBootstrapServerIsRemovedBeforeItsJobServerHasCaughtUpUnlessItsLeaveIsIntended() =>
        EachProduct(p => p is { JobServerCaughtUp: false, LeaveIntended: false }, BootstrapVerb.RemoveServer);

    [Fact]
    public void NoBootstrapServerIsRemovedBeforeAllJobsAreRegistered() =>
        Each(f => f.Products.Any(p => !p.Facts.JobRegistered), (_, step) => step.Verb != BootstrapVerb.RemoveServer);

    [Fact]
    public void ABootstrapServerThatIsGoneIsNeitherStartedNorRemovedAgain() =>
        EachProduct(p => p.BootstrapGone, BootstrapVerb.StartServer, BootstrapVerb.RemoveServer);

    [Fact]
    public void NoClientStartsBeforeItsServers() =>
        EachProduct(p => p is { BootstrapGone: false, BootstrapStarted: false, LeaveIntended: false }, BootstrapVerb.StartClient);

    [Fact]
    public void AFencedClientStartsOnlyBehindALeader() => Each(
        f => f.Products.Any(p => p.Product.FencesClient && p.Facts is { BootstrapGone: false, LeaderKnown: false }),
        (_, step) => step is not { Verb: BootstrapVerb.StartClient, Product.FencesClient: true });

    [Fact]
    public void DoneMeansThatNothingTemporaryIsLeft() => Each(
        f => BootstrapDecision.Next(f).Verb == BootstrapVerb.Done,
        (f, _) => f is { ClusterMinted: true, NodeReady: true, TracesGone: true } && f.Products.All(p => p.Facts is { BootstrapGone: true, JobRegistered: true, ClientRuns: true }));

    [Theory]
    [MemberData(nameof(Stacks))]
    public void AHealthyWorldReachesDone(string stack)
    {
        var world = new World(Rows(stack));

        var steps = world.Run();

        steps[^1].Verb.ShouldBe(BootstrapVerb.Done);
        steps.Count(s => s.Verb == BootstrapVerb.RemoveServer).ShouldBe(Rows(stack).Count, "every product pivots");
        steps.Distinct().Count().ShouldBe(steps.Count, "no step comes twice");
    }

    [Theory]
    [MemberData(nameof(Stacks))]
    public void ItReachesDoneWhereverTheAgentAndItsProcessesDie(string stack)
    {
        var moments = new World(Rows(stack)).Effects();
        moments.ShouldBeGreaterThanOrEqualTo(8);
        foreach (var powerCut in s_both)
        {
            // Dying after effect n is dying before effect n + 1.
            for (var first = 0; first <= moments; first++)
            {
                for (var second = first; second <= moments; second++)
                {
                    var world = new World(Rows(stack));
                    world.Run(effects: first);
                    world.Crash(powerCut);
                    world.Run(effects: second - first);
                    world.Crash(powerCut);

                    world.Run()[^1].Verb.ShouldBe(BootstrapVerb.Done, $"crashes after effects {first} and {second}, power cut: {powerCut}");
                    world.Minted.ShouldBe(1);
                    world.LostData.ShouldBeFalse($"crashes after effects {first} and {second}, power cut: {powerCut}");
                }
            }
        }
    }

    private static IReadOnlyList<Product> Rows(string stack) => [.. stack.Split(',').Select(name => name == s_fourth.Name ? s_fourth : Role.Row(name))];

    [Fact]
    public void DoneMeansHealthy() => Each(f => !f.Healthy, (_, step) => step.Verb != BootstrapVerb.Done);

    /// <summary>No step has one of these verbs for a product of which the condition holds.</summary>
    private static void EachProduct(Func<ProductFacts, bool> of, params BootstrapVerb[] never) => Each(
        f => f.Products.Any(p => of(p.Facts)),
        (f, step) => !never.Contains(step.Verb) || !of(f.Products.Single(p => p.Product == step.Product).Facts));

    private static void Each(Func<BootstrapFacts, bool> of, Func<BootstrapFacts, BootstrapStep, bool> holds)
    {
        var seen = 0;
        foreach (var facts in All())
        {
            if (!of(facts)) continue;
            seen++;
            var step = BootstrapDecision.Next(facts);
            if (!holds(facts, step)) throw new ShouldAssertException($"{step} for {facts}: {string.Join("; ", facts.Products)}");
        }

        seen.ShouldBePositive();
    }

    private static IEnumerable<BootstrapFacts> All() =>
        from scheduler in s_products
        from other in s_products.Append(null)
        from bits in Enumerable.Range(0, 16)
        select new BootstrapFacts(Bit(bits, 0), other is null ? [(s_scheduler, scheduler)] : [(s_other, other), (s_scheduler, scheduler)], Bit(bits, 1), Bit(bits, 2), Bit(bits, 3));

    private static bool Bit(int bits, int n) => (bits >> n & 1) == 1;
}
