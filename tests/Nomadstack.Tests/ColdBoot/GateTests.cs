// SPDX-License-Identifier: MPL-2.0
using Nomadstack.ColdBoot;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.ColdBoot;

/// <summary>Every property is checked over every combination of up to three servers, at most one of which leads (I4).</summary>
public sealed class GateTests
{
    private static readonly bool[] s_both = [false, true];

    private static readonly GateFacts[] s_all =
        [.. from servers in Fleets()
            from read in new long?[] { null, 10, 20 }
            from known in s_both
            from seen in new long[] { 0, 10, 20 }
            from past in Enum.GetValues<Past>()
            from missing in new[] { 0, 1 }
            from away in s_both
            select new GateFacts(servers, read, known, seen, past, missing, away)];

    [Fact]
    public void WithoutALeaderItIsClosedForWantOfAQuorum() =>
        Each(f => !f.Servers.Any(Leads), (_, g) => g.ShouldBeOfType<Gate.Closed>().NoQuorum.ShouldBeTrue());

    [Fact]
    public void WithALeaderAClosedGateIsNoLostQuorum() => Each(f => f.Servers.Any(Leads), (_, g) => (g as Gate.Closed)?.NoQuorum.ShouldBeFalse());

    [Fact]
    public void WithoutALeaderItNamesWhoIsMissingAndNobodyElse() => Each(f => f.Servers.Count > 0 && !f.Servers.Any(Leads), (f, g) =>
    {
        var reason = g.ShouldBeOfType<Gate.Closed>().For;
        foreach (var server in f.Servers) reason.Contains(server.Node, StringComparison.Ordinal).ShouldBe(server.Applied is null);
    });

    [Fact]
    public void WithNoServerOnRecordItIsClosed() =>
        Gate.Decide(new([], 20, true, 0)).ShouldBe(new Gate.Closed("a server: none is recorded in the membership yet", NoQuorum: true));

    [Fact]
    public void AFailedReadThroughTheLeaderKeepsItClosed() => Each(f => f.ReadIndex is null, (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void ALeaderThatHasNotReplayedItsLogKeepsItClosed() =>
        Each(f => f.Servers.Any(s => Leads(s) && s.Applied < s.LastLog), (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void ALeaderOlderThanWhatThisNodeHasSeenKeepsItClosedUnlessItsHistoryGoesOn() =>
        Each(f => f.Past != Past.GoesOn && f.Servers.Any(s => Leads(s) && s.Applied < f.LastSeenIndex), (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void AnotherHistoryKeepsItClosedWhateverTheIndexSays() => Each(f => f.Past == Past.Lost, (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void AnAllocationThatTheLeaderDoesNotKnowKeepsItClosedOnANodeThatWasHereAMomentAgo() =>
        Each(f => f is { LeaderKnowsNode: true, Missing: > 0, AwayLong: false }, (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void AnAllocationThatWasForgottenInTheOrdinaryCourseKeepsNobodyOut() =>
        Each(f => f is { Past: Past.GoesOn, LeaderKnowsNode: true, Missing: > 0, AwayLong: true, ReadIndex: not null } && f.Servers.Any(s => Leads(s) && s.Applied >= s.LastLog), (_, g) => g.ShouldBeOfType<Gate.Open>());

    [Fact]
    public void ANodeThatTheClusterForgotWhileItWentOnIsLetIn() =>
        Each(f => f is { Past: Past.GoesOn, LeaderKnowsNode: false, ReadIndex: not null } && f.Servers.Any(s => Leads(s) && s.Applied >= s.LastLog), (_, g) => g.ShouldBeOfType<Gate.Open>().Forgotten.ShouldBeTrue());

    [Fact]
    public void OnlyLostStateIsAnOperatorsToAccept() => Each(f => f.ReadIndex is null || !f.Servers.Any(Leads), (_, g) => g.ShouldBeOfType<Gate.Closed>().StateLost.ShouldBeFalse());

    [Fact]
    public void WhatAnOperatorMayAcceptNamesTheCommandForIt() => Each(_ => true, (_, g) => (g is Gate.Closed { StateLost: true } closed && !closed.For.Contains("recover --accept-state", StringComparison.Ordinal)).ShouldBeFalse());

    [Fact]
    public void ABlankLeaderIsToldApartFromOneThatLags()
    {
        var gate = Gate.Decide(new([new("n1", "n1:4647", 5, 5, true, true)], 5, true, 20));

        gate.ShouldBeOfType<Gate.Closed>().For.ShouldSatisfyAllConditions(r => r.ShouldContain("n1"), r => r.ShouldContain("index 5"), r => r.ShouldContain("20"), r => r.ShouldContain("snapshot"));
    }

    [Fact]
    public void ALeaderThatDoesNotKnowThisNodeKeepsItClosedUntilItsHistoryGoesOn() => Each(f => !f.LeaderKnowsNode && f.Past != Past.GoesOn, (_, g) => g.ShouldBeOfType<Gate.Closed>());

    [Fact]
    public void WhenNothingStandsAgainstItItOpens() =>
        Each(f => f is { ReadIndex: not null, LeaderKnowsNode: true, Missing: 0, Past: not Past.Lost } && f.Servers.Any(s => Leads(s) && s.Applied >= s.LastLog && s.Applied >= f.LastSeenIndex), (_, g) => g.ShouldBeOfType<Gate.Open>());

    [Fact]
    public void AnOpenGateNamesTheLeaderFirst() => EachOpen((f, servers) => servers[0].ShouldBe(f.Servers.Single(Leads).Rpc));

    [Fact]
    public void AnOpenGateNamesNoServerTwiceAndNoneThatIsSilent() => EachOpen((f, servers) =>
    {
        servers.ShouldBeUnique();
        servers.ShouldBeSubsetOf(f.Servers.Where(s => s.Applied is not null).Select(s => s.Rpc));
    });

    [Fact]
    public void AnOpenGateNamesExactlyTheFollowersThatHaveAllTheLeaderHad() => EachOpen((f, servers) =>
    {
        var leader = f.Servers.Single(Leads);
        var must = Math.Max(leader.Applied!.Value, f.ReadIndex!.Value);
        servers.Skip(1).ShouldBe(f.Servers.Where(s => !s.Leads && s.KnowsLeader && s.Applied >= must).Select(s => s.Rpc), ignoreOrder: true);
    });

    [Fact]
    public void AClosedGateSaysWhatItWaitsFor() => Each(_ => true, (_, g) => (g as Gate.Closed)?.For.ShouldNotBeNullOrWhiteSpace());

    private static bool Leads(GateServer server) => server is { Leads: true, Applied: not null };

    private static void EachOpen(Action<GateFacts, IReadOnlyList<string>> holds) => Each(f => Gate.Decide(f) is Gate.Open, (f, g) => holds(f, ((Gate.Open)g).Servers));

    private static void Each(Func<GateFacts, bool> of, Action<GateFacts, Gate> holds)
    {
        var cases = s_all.Where(of).ToList();
        cases.ShouldNotBeEmpty();
        foreach (var facts in cases)
        {
            try
            {
                holds(facts, Gate.Decide(facts));
            }
            catch (ShouldAssertException e)
            {
                throw new ShouldAssertException($"[{string.Join("; ", facts.Servers)}] {facts}: {e.Message}", e);
            }
        }
    }

    private static List<IReadOnlyList<GateServer>> Fleets()
    {
        List<(long? Applied, long? LastLog, bool Leads, bool Knows)> kinds =
        [
            (null, null, false, false), (10, 10, false, false), (10, 10, false, true), (10, 20, false, true), (20, 20, false, false), (20, 20, false, true),
            (10, 10, true, true), (10, 20, true, true), (20, 20, true, true),
        ];
        var fleets = new List<IReadOnlyList<GateServer>> { Array.Empty<GateServer>() };
        foreach (var node in (string[])["alpha", "beta", "gamma"])
        {
            fleets.AddRange([.. from fleet in fleets
                                where fleet.Count == 0 || fleet[^1].Node != node
                                from k in kinds
                                where !k.Leads || !fleet.Any(s => s.Leads)
                                select (IReadOnlyList<GateServer>)[.. fleet, new GateServer(node, node + ":4647", k.Applied, k.LastLog, k.Leads, k.Knows)]]);
        }

        return fleets;
    }
}
