// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Bootstrap;

/// <summary>Every property is checked over every combination of facts, with Consul and without.</summary>
public sealed class BootstrapDecisionTests
{
    private static readonly bool[] s_both = [false, true];

    private static readonly RoleFacts[] s_roles =
        [.. from bits in Enumerable.Range(0, 64)
            select new RoleFacts(Bit(bits, 0), Bit(bits, 1), Bit(bits, 2), Bit(bits, 3), Bit(bits, 4), Bit(bits, 5))];

    [Fact]
    public void EveryCombinationHasAStepThatCanBeDescribed() => Each(_ => true, (_, step) => BootstrapDecision.Describe(step).Length > 0);

    [Fact]
    public void TheSameFactsGiveTheSameStep() => Each(_ => true, (f, step) => BootstrapDecision.Next(f with { }) == step);

    [Fact]
    public void NothingComesBeforeTheClusterIsMinted() => Each(f => !f.ClusterMinted, (_, step) => step == BootstrapStep.MintCluster);

    [Fact]
    public void TheClusterIsMintedOnce() => Each(f => f.ClusterMinted, (_, step) => step != BootstrapStep.MintCluster);

    [Fact]
    public void NoJobIsRegisteredBeforeTheNodeIsReady() =>
        Each(f => !f.NodeReady, (_, step) => step is not (BootstrapStep.RegisterConsulJob or BootstrapStep.RegisterNomadJob));

    [Fact]
    public void AJobIsRegisteredOnlyWhileItIsNot()
    {
        Each(f => f.Nomad.JobRegistered, (_, step) => step != BootstrapStep.RegisterNomadJob);
        Each(f => f.Consul is null or { JobRegistered: true }, (_, step) => step != BootstrapStep.RegisterConsulJob);
    }

    [Fact]
    public void NoBootstrapServerIsRemovedBeforeItsJobServerHasCaughtUpUnlessItsLeaveIsIntended()
    {
        Each(f => f.Nomad is { JobServerCaughtUp: false, LeaveIntended: false }, (_, step) => step != BootstrapStep.RemoveNomadBootstrap);
        Each(f => f.Consul is null or { JobServerCaughtUp: false, LeaveIntended: false }, (_, step) => step != BootstrapStep.RemoveConsulBootstrap);
    }

    [Fact]
    public void NoBootstrapServerIsRemovedBeforeBothJobsAreRegistered() =>
        Each(f => !f.Nomad.JobRegistered || f.Consul is { JobRegistered: false }, (_, step) => step is not (BootstrapStep.RemoveConsulBootstrap or BootstrapStep.RemoveNomadBootstrap));

    [Fact]
    public void ABootstrapServerThatIsGoneIsNeitherStartedNorRemovedAgain()
    {
        Each(f => f.Nomad.BootstrapGone, (_, step) => step is not (BootstrapStep.StartNomadBootstrap or BootstrapStep.RemoveNomadBootstrap));
        Each(f => f.Consul is null or { BootstrapGone: true }, (_, step) => step is not (BootstrapStep.StartConsulBootstrap or BootstrapStep.RemoveConsulBootstrap));
    }

    [Fact]
    public void NoClientStartsBeforeItsServers()
    {
        Each(f => f.Nomad is { BootstrapGone: false, LeaderKnown: false } or { BootstrapGone: false, BootstrapStarted: false, LeaveIntended: false }, (_, step) => step != BootstrapStep.StartNomadClient);
        Each(f => f.Consul is { BootstrapGone: false, BootstrapStarted: false, LeaveIntended: false }, (_, step) => step != BootstrapStep.StartConsulClient);
    }

    [Fact]
    public void DoneMeansThatNothingTemporaryIsLeft() => Each(
        f => BootstrapDecision.Next(f) == BootstrapStep.Done,
        (f, _) => f is { ClusterMinted: true, NodeReady: true, NomadClientRuns: true, TracesGone: true, Nomad: { BootstrapGone: true, JobRegistered: true } }
            && f.Consul is null or { BootstrapGone: true, JobRegistered: true } && (f.Consul is null || f.ConsulClientRuns));

    [Fact]
    public void WithoutConsulNoStepIsAboutConsul() => Each(
        f => f.Consul is null,
        (_, step) => step is not (BootstrapStep.StartConsulBootstrap or BootstrapStep.StartConsulClient or BootstrapStep.RegisterConsulJob or BootstrapStep.RemoveConsulBootstrap));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AHealthyWorldReachesDone(bool consul)
    {
        var world = new World(consul);

        var steps = world.Run();

        steps[^1].ShouldBe(BootstrapStep.Done);
        steps.ShouldBe([.. steps.Order()], "steps come in the order they are listed");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ItReachesDoneWhereverTheAgentAndItsProcessesDie(bool consul)
    {
        var moments = new World(consul).Effects();
        moments.ShouldBeGreaterThanOrEqualTo(8);
        foreach (var powerCut in s_both)
        {
            // Dying after effect n is dying before effect n + 1.
            for (var first = 0; first <= moments; first++)
            {
                for (var second = first; second <= moments; second++)
                {
                    var world = new World(consul);
                    world.Run(effects: first);
                    world.Crash(powerCut);
                    world.Run(effects: second - first);
                    world.Crash(powerCut);

                    world.Run()[^1].ShouldBe(BootstrapStep.Done, $"crashes after effects {first} and {second}, power cut: {powerCut}");
                    world.Minted.ShouldBe(1);
                    world.LostData.ShouldBeFalse($"crashes after effects {first} and {second}, power cut: {powerCut}");
                }
            }
        }
    }

    private static void Each(Func<BootstrapFacts, bool> of, Func<BootstrapFacts, BootstrapStep, bool> holds)
    {
        var seen = 0;
        foreach (var facts in All())
        {
            if (!of(facts)) continue;
            seen++;
            var step = BootstrapDecision.Next(facts);
            if (!holds(facts, step)) throw new ShouldAssertException($"{step} for {facts}");
        }

        seen.ShouldBePositive();
    }

    private static IEnumerable<BootstrapFacts> All() =>
        from nomad in s_roles
        from consul in s_roles.Append(null)
        from bits in Enumerable.Range(0, 32)
        select new BootstrapFacts(Bit(bits, 0), nomad, consul, Bit(bits, 1), Bit(bits, 2), Bit(bits, 3), Bit(bits, 4));

    private static bool Bit(int bits, int n) => (bits >> n & 1) == 1;
}
