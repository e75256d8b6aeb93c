// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Nomadstack.Recovery;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Recovery;

/// <summary>Who gets a new raft configuration when addresses change, and who must not.</summary>
public sealed class ReaddressDecisionTests
{
    /// <summary>Where a voter is now, seen from the deciding server.</summary>
    public enum Now
    {
        Absent,
        Stayed,
        Moved,

        /// <summary>At the address that the next voter had.</summary>
        AtTheNextOnes,
    }

    [Fact]
    public void AServerWhosePeersStayedStartsAndTheLeaderLearnsItsAddress() =>
        Next([Now.Moved, Now.Stayed, Now.Stayed]).ShouldBeOfType<Readdress.Start>();

    [Fact]
    public void WhereAllMovedTheConfigurationGetsAllNewAddresses() =>
        Next([Now.Moved, Now.Moved, Now.Moved]).ShouldBeOfType<Readdress.Rewrite>().Peers.Select(p => p.Address).ShouldBe(["new0", "new1", "new2"]);

    [Fact]
    public void OneThatIsAbsentIsWaitedForAndThenKeepsItsVoteAndItsOldAddress()
    {
        var waits = Next([Now.Moved, Now.Moved, Now.Absent]).ShouldBeOfType<Readdress.Wait>();
        waits.For.ShouldContain("n2");
        waits.AtLast.ShouldNotBeNull().Peers.Select(p => p.Address).ShouldBe(["new0", "new1", "old2"]);
    }

    [Fact]
    public void AServerThatStayedAndRunsWithoutALeaderGetsItToo() =>
        Written(Next([Now.Stayed, Now.Moved, Now.Absent], running: true)).ShouldNotBeNull().Peers[0].Address.ShouldBe("old0");

    /// <summary>n0 was away when n1 and n2 were written anew at new1 and new2; now it comes at the address that n1 had before, which its own configuration still has for n1.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AServerWhoseOwnConfigurationGivesItsAddressToAnotherNeverStartsWithThat(bool leader)
    {
        var own = Survey(0, "old1", [("id0", "old0"), ("id1", "old1"), ("id2", "old2")], last: 100);
        (string, string)[] now = [("id0", "old0"), ("id1", "new1"), ("id2", "new2")];
        var one = Survey(1, "new1", now, last: 101) with { Running = true, Leader = leader ? "new1" : null };
        var two = Survey(2, "new2", now, last: 101) with { Running = true };

        Next().ShouldBeOfType<Readdress.Rewrite>().Peers.Select(p => p.Address).ShouldBe(["old1", "new1", "new2"]);
        own = own with { Address = "new0" };
        Next().ShouldBeOfType<Readdress.Start>();

        Readdress Next() => ReaddressDecision.Next(new(own, true, [one, two], Names(3)));
    }

    [Fact]
    public void AddressesThatWereSwappedAreWrittenBeforeAnybodySpeaksToTheWrongOne() =>
        Next([Now.AtTheNextOnes, Now.AtTheNextOnes, Now.AtTheNextOnes]).ShouldBeOfType<Readdress.Rewrite>().Peers.Select(p => p.Address).ShouldBe(["old1", "old2", "old0"]);

    [Fact]
    public void AMinorityWaitsAndNamesWhomItWaitsFor() =>
        Next([Now.Moved, Now.Absent, Now.Absent]).ShouldBeOfType<Readdress.Wait>().For.ShouldContain("n1, n2");

    [Fact]
    public void WithALeaderNothingIsWritten()
    {
        Next([Now.Moved, Now.Moved, Now.Moved], leader: true).ShouldBeOfType<Readdress.Start>();
        Next([Now.Moved, Now.Moved, Now.Moved], leader: true, running: true).ShouldBeOfType<Readdress.Nothing>();
    }

    [Fact]
    public void UnderAnotherVotersAddressNobodyStartsBesideALeader() =>
        Next([Now.AtTheNextOnes, Now.Stayed, Now.Stayed], leader: true).ShouldBeOfType<Readdress.Wait>().For.ShouldContain("n1");

    [Fact]
    public void ABlankServerStarts() => ReaddressDecision.Next(new(Survey(0, "new0", [], ServerSurvey.Blank), true, [], Names(1))).ShouldBeOfType<Readdress.Start>();

    [Fact]
    public void TheNewestConfigurationCounts()
    {
        // n0 knows of itself alone; n1 has the entry that made it a voter.
        var one = Survey(0, "new0", [("id0", "old0")], last: 4);
        var two = Survey(1, "new1", [("id0", "old0"), ("id1", "old1")], last: 5);

        ReaddressDecision.Next(new(one, true, [], Names(2))).ShouldBeOfType<Readdress.Rewrite>().Peers.Count.ShouldBe(1);
        ReaddressDecision.Next(new(one, true, [two], Names(2))).ShouldBeOfType<Readdress.Rewrite>().Peers.Count.ShouldBe(2);
    }

    /// <summary>Every combination of 1, 3 and 5 voters, running or not: total, the same voters always, and never less than a majority of them.</summary>
    [Fact]
    public void EveryCombinationEndsInAnAnswerThatKeepsAllVotersAndNeedsAMajority()
    {
        foreach (var count in new[] { 1, 3, 5 })
        {
            foreach (var where in Combinations(count).Where(w => w[0] != Now.Absent && (count > 1 || w[0] != Now.AtTheNextOnes)))
            {
                foreach (var running in new[] { false, true })
                {
                    var next = Next(where, running: running);
                    var there = where.Count(w => w != Now.Absent);
                    if (Written(next) is not { } rewrite) continue;
                    (next is Readdress.Rewrite).ShouldBe(there == count, string.Join(' ', where));
                    rewrite.Peers.Select(p => p.Id).ShouldBe(Enumerable.Range(0, count).Select(i => $"id{i}"), string.Join(' ', where));
                    rewrite.Peers.ShouldAllBe(p => p.Voter);
                    rewrite.Peers.Select(p => p.Address).ShouldBeUnique(string.Join(' ', where));
                    there.ShouldBeGreaterThan(count / 2, string.Join(' ', where));
                    where.Count(w => w == Now.Stayed).ShouldBeLessThanOrEqualTo(count / 2, $"raft does it by itself: {string.Join(' ', where)}");
                }
            }
        }
    }

    /// <summary>A lease of a dead machine that another one gets: the dead one keeps its vote, at an address where nobody answers and that no other voter has.</summary>
    [Fact]
    public void TheAddressOfADeadVoterThatAnotherHasNowHoldsNobodyUp()
    {
        var waits = Next([Now.Stayed, Now.AtTheNextOnes, Now.Absent], running: true).ShouldBeOfType<Readdress.Wait>();

        waits.For.ShouldContain("n2");
        waits.AtLast.ShouldNotBeNull().Peers.Select(p => p.Address).ShouldBe(["old0", "old2", "127.0.0.1:3"]);
    }

    /// <summary>Seen on Consul 1.8.7: n0 ran on with its old configuration, took n1 at n2's old address for n2, and led with its vote.</summary>
    [Fact]
    public void WhoRunsIsWrittenBeforeItCouldTakeAServerForTheOneThatHadItsAddress()
    {
        (string, string)[] before = [("id0", "old0"), ("id1", "old1"), ("id2", "old2")], after = [("id0", "old0"), ("id1", "old2"), ("id2", "127.0.0.1:3")];
        var runs = Survey(0, "old0", before) with { Running = true };
        var moved = Survey(1, "old2", before);

        var first = ReaddressDecision.Next(new(moved, true, [runs], Names(3))).ShouldBeOfType<Readdress.Wait>();
        first.For.ShouldContain("n0");
        first.AtLast.ShouldBeNull();
        Written(ReaddressDecision.Next(new(runs, false, [moved], Names(3)))).ShouldNotBeNull().Peers.Select(p => p.Address).ShouldBe(after.Select(p => p.Item2));

        runs = Survey(0, "old0", after) with { Running = true };
        Written(ReaddressDecision.Next(new(moved, true, [runs], Names(3)))).ShouldNotBeNull().Peers.Select(p => p.Address).ShouldBe(after.Select(p => p.Item2));
        ReaddressDecision.Next(new(runs, false, [moved], Names(3))).ShouldBeOfType<Readdress.Nothing>();
    }

    [Fact]
    public void AMajorityWithAnAddressEachNeverWaitsForGood()
    {
        foreach (var where in Combinations(3).Concat(Combinations(5)).Where(w => w[0] != Now.Absent && w.Count(n => n != Now.Absent) > w.Length / 2))
        {
            var addresses = where.Select((w, i) => w switch { Now.Stayed => $"old{i}", Now.AtTheNextOnes => $"old{(i + 1) % where.Length}", Now.Moved => $"new{i}", _ => "" }).Where(a => a.Length > 0).ToList();
            if (addresses.Distinct().Count() < addresses.Count || where.Count(w => w == Now.Stayed) > where.Length / 2) continue;
            if (Next(where) is Readdress.Wait wait) wait.AtLast.ShouldNotBeNull(string.Join(' ', where));
        }
    }

    [Fact]
    public void TwoThatSayTheyHaveOneAddressAreWaitedFor() =>
        Next([Now.AtTheNextOnes, Now.Stayed, Now.Moved]).ShouldBeOfType<Readdress.Wait>().For.ShouldContain("n0 and n1 to have an address each");

    /// <summary>Agents of an older release tell no raft data; their servers answer.</summary>
    [Fact]
    public void ALeaderThatOnlyAServerTellsOfIsALeader()
    {
        var own = Survey(0, "new0", [("id0", "old0"), ("id1", "old1"), ("id2", "old2")]);

        ReaddressDecision.Next(new(own, true, [], Names(3))).ShouldBeOfType<Readdress.Wait>();
        ReaddressDecision.Next(new(own, true, [], Names(3)) { LeaderKnown = true }).ShouldBeOfType<Readdress.Start>();
    }

    /// <summary>All that are there come to the same configuration, so nobody is written into a corner by the order in which they decide.</summary>
    [Fact]
    public void AllThatAreThereWriteTheSame()
    {
        foreach (var where in Combinations(3).Where(w => w.Count(n => n != Now.Absent) > 1))
        {
            var answers = Enumerable.Range(0, 3).Where(i => where[i] != Now.Absent).Select(i => Next(where, own: i, running: where[i] == Now.Stayed)).ToList();
            answers.Select(Written).OfType<Readdress.Rewrite>().Distinct().Count().ShouldBeLessThanOrEqualTo(1, string.Join(' ', where));
            if (answers.Any(a => Written(a) is not null)) answers.ShouldAllBe(a => Written(a) != null, string.Join(' ', where));
        }
    }

    /// <summary>
    /// A random history of voters that join, leave, lag and are written anew by peers.json, after which the configuration of a log has index 1 again (raft, <c>RecoverCluster</c>). Whoever is
    /// there at its end, no other voters are ever written than the last that raft agreed on.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void NoHistoryBringsFormerVotersBack(int seed)
    {
        var random = new Random(seed);
        var written = 0;
        for (var round = 0; round < 2_000; round++)
        {
            var history = new History(random);
            for (var step = random.Next(1, 14); step > 0; step--) history.Step();
            var there = history.Surveys().Where(_ => random.Next(3) > 0).ToList();
            foreach (var own in there)
            {
                if (Written(ReaddressDecision.Next(new(own, true, [.. there.Where(s => s != own)], Names(9)))) is not { } rewrite) continue;
                written++;
                rewrite.Peers.Select(p => p.Id).ShouldBe(history.Voters.Order(StringComparer.Ordinal), $"seed {seed}, round {round}");
            }
        }

        written.ShouldBeGreaterThan(500);
    }

    /// <summary>One log, of which each server has a beginning.</summary>
    private sealed class History(Random random)
    {
        private readonly Dictionary<string, (long Last, long Term, long PeersIndex, IReadOnlyList<string> Voters)> _servers = new() { ["id0"] = (1, 1, 1, ["id0"]) };
        private long _last = 1, _term = 1, _peersIndex = 1;

        public IReadOnlyList<string> Voters { get; private set; } = ["id0"];

        public void Step()
        {
            switch (random.Next(5))
            {
                case 0 when Voters.Count < 5:
                    Change([.. Voters, $"id{Enumerable.Range(0, 9).First(i => !_servers.ContainsKey($"id{i}"))}"]);
                    break;
                case 1 when Voters.Count > 1 && _servers.Count < 8:
                    var leaves = Voters[random.Next(Voters.Count)];
                    Change([.. Voters.Where(v => v != leaves)]);
                    break;
                case 2:
                    _term++;
                    Commit();
                    break;
                case 3:
                    foreach (var server in Majority()) _servers[server] = _servers.TryGetValue(server, out var had) && had.Last == _last ? had with { PeersIndex = 1 } : (_last, _term, 1, Voters);
                    _peersIndex = 1;
                    break;
                default:
                    Commit();
                    break;
            }
        }

        public IEnumerable<ServerSurvey> Surveys() => _servers.Select(s => Survey(int.Parse(s.Key[2..], null), "new" + s.Key[2..], [.. s.Value.Voters.Select(v => (v, "old" + v[2..]))], last: s.Value.Last, term: s.Value.Term, peersIndex: s.Value.PeersIndex));

        private void Change(IReadOnlyList<string> voters)
        {
            Voters = voters;
            _peersIndex = _last + 1;
            Commit();
        }

        /// <summary>A majority of the voters has the new entry; the others have what they had.</summary>
        private void Commit()
        {
            _last++;
            foreach (var server in Majority()) _servers[server] = (_last, _term, _peersIndex, Voters);
        }

        private IEnumerable<string> Majority() => [.. Voters.OrderBy(_ => random.Next()).Take(random.Next((Voters.Count / 2) + 1, Voters.Count + 1))];
    }

    private static IEnumerable<Now[]> Combinations(int count) =>
        count == 0 ? [[]] : Combinations(count - 1).SelectMany(rest => Enum.GetValues<Now>().Select(first => (Now[])[first, .. rest]));

    /// <summary>What is written in the end.</summary>
    private static Readdress.Rewrite? Written(Readdress next) => next as Readdress.Rewrite ?? (next as Readdress.Wait)?.AtLast;

    private static Readdress Next(Now[] where, bool running = false, bool leader = false, int own = 0)
    {
        var peers = where.Select((_, i) => ($"id{i}", $"old{i}")).ToList();
        var all = where.Select((w, i) => (Where: w, Survey: Survey(i, w switch { Now.Stayed => $"old{i}", Now.AtTheNextOnes => $"old{(i + 1) % where.Length}", _ => $"new{i}" }, peers))).ToList();
        var self = all[own].Survey with { Running = running };
        var others = all.Where((a, i) => i != own && a.Where != Now.Absent).Select((a, n) => a.Survey with { Leader = leader && n == 0 ? "somebody" : null }).ToList();
        return ReaddressDecision.Next(new(self, where[own] != Now.Stayed, others, Names(where.Length)));
    }

    private static ServerSurvey Survey(int number, string address, IReadOnlyList<(string Id, string Address)> peers, string state = ServerSurvey.Present, long peersIndex = 3, long last = 100, long term = 2) =>
        new("nomad", $"id{number}", address, state, null, 0, false, null, term, term, last, peersIndex, [.. peers.Select(p => new SurveyPeer(p.Id, p.Address, true))]);

    private static Dictionary<string, string> Names(int count) => Enumerable.Range(0, count).ToDictionary(i => $"id{i}", i => $"n{i}");
}
