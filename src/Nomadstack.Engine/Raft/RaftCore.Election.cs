// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>Elections: pre-vote, vote, and what a server refuses while it hears from a leader.</summary>
internal sealed partial class RaftCore
{
    private readonly HashSet<string> _votes = [];

    /// <summary>A leader was heard of so recently that no other can be needed. This keeps a server that was cut off, or removed, from deposing it.</summary>
    private bool HearsFromLeader =>
        Role == RaftRole.Leader || (LeaderId is not null && _now - _leaderContact < _options.ElectionTimeout);

    /// <summary>
    /// A voter may, and one that a change removes which may not be committed: should it hold the only copy of that change, nobody else could be elected.
    /// </summary>
    private bool MayCampaign =>
        Configuration.IsVoter(Id) || (_configurations.LatestIndex > Commit && _configurations.Previous.IsVoter(Id));

    private void ResetElectionTimer() => _electionDue = _now + (_options.ElectionTimeout * (1 + _random.NextDouble()));

    private void Campaign()
    {
        ResetElectionTimer();
        LeaderId = null;
        if (!MayCampaign) return;
        // Who refuses may only have heard from the leader a moment later than we. To ask again costs nothing, so it is soon.
        _electionDue = _now + (_options.ElectionTimeout * (0.25 + (0.5 * _random.NextDouble())));
        Role = RaftRole.PreCandidate;
        _votes.Clear();
        _votes.Add(Id);
        AskForVotes(Term + 1, preVote: true, transfer: false);
        CountVotes();
    }

    private void StartElection(bool transfer)
    {
        ResetElectionTimer();
        LeaderId = null;
        Role = RaftRole.Candidate;
        (Term, VotedFor) = (Term + 1, Id);
        _votes.Clear();
        _durability.ForgetMessages();
        _durability.Remember(new(Term, VotedFor));
        AskForVotes(Term, preVote: false, transfer);
    }

    private void AskForVotes(long term, bool preVote, bool transfer)
    {
        foreach (var voter in Configuration.Voters.Where(v => v.Id != Id))
        {
            var request = new VoteRequest(Id, voter.Id, term, _log.Last, preVote, transfer);
            // A candidate that forgets its own vote could give it to another in the same term.
            if (preVote) Send(request);
            else SendWhenDurable(request);
        }
    }

    private void OnVoteRequest(VoteRequest m)
    {
        var upToDate = m.Last.IsAtLeast(_log.Last);
        if (m.PreVote)
        {
            var granted = m.Term > Term && upToDate && !HearsFromLeader;
            Send(new VoteReply(Id, m.From, granted ? m.Term : Term, PreVote: true, granted));
            return;
        }

        // Whether this server is a voter it need not know: the candidate's membership may be newer.
        var grant = upToDate && (VotedFor is null || VotedFor == m.From) && Role != RaftRole.Leader;
        if (grant && VotedFor is null)
        {
            VotedFor = m.From;
            _durability.Remember(new(Term, VotedFor));
        }

        if (grant) ResetElectionTimer();
        SendWhenDurable(new VoteReply(Id, m.From, Term, PreVote: false, grant));
    }

    private void OnVoteReply(VoteReply m)
    {
        var expected = m.PreVote ? RaftRole.PreCandidate : RaftRole.Candidate;
        if (Role != expected || !m.Granted || (m.PreVote && m.Term != Term + 1)) return;
        _votes.Add(m.From);
        CountVotes();
    }

    private void CountVotes()
    {
        if (Role == RaftRole.Candidate && _durability.HardState == new HardState(Term, Id)) _votes.Add(Id);
        if (!Configuration.HasMajority(_votes.Contains)) return;
        if (Role == RaftRole.PreCandidate) StartElection(transfer: false);
        else BecomeLeader();
    }
}
