// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>Leading: replication, commit, and stepping down without a majority.</summary>
internal sealed partial class RaftCore
{
    private readonly Dictionary<string, Progress> _progress = [];
    private TimeSpan _heartbeatDue;
    private long _firstOfTerm;
    private long _round;
    private bool _roundWanted;

    /// <summary>How far each other server has come, as its leader knows it. Empty on others.</summary>
    public IReadOnlyDictionary<string, Progress> Followers => _progress;

    /// <summary>Everything earlier terms committed is known to be: reads and changes of the membership may go on.</summary>
    private bool HasCommittedInTerm => Commit >= _firstOfTerm;

    private void BecomeLeader()
    {
        Role = RaftRole.Leader;
        LeaderId = Id;
        _firstOfTerm = _log.Last.Index + 1;
        FollowConfiguration();
        AppendOwn(EntryKind.Noop, default);
        _heartbeatDue = _now + _options.Heartbeat;
        AdvanceCommit();
    }

    private void EndLeadership()
    {
        _progress.Clear();
        _transfer = null;
        _leaderContact = _now;
        RefuseReads();
    }

    /// <summary>Step down of its own accord. Those who wait for an answer ask the next leader.</summary>
    private void Resign()
    {
        BecomeFollower(Term);
        LeaderId = null;
    }

    private void LeaderTick()
    {
        // Only with a majority in reach can anything be committed; without one another may lead already.
        var reached = Configuration.ReachedByMajority(id => id == Id ? _now : _progress[id].Contact);
        if (_now - reached > _options.ElectionTimeout * 2)
        {
            Resign();
            return;
        }

        if (_transfer is { } transfer && _now >= transfer.Deadline) _transfer = null;
        if (_now < _heartbeatDue) return;
        _heartbeatDue = _now + _options.Heartbeat;
        _roundWanted = true;
    }

    /// <summary>Sends what has come together since the last time: one append per follower for all proposals, one round for all reads.</summary>
    private void FlushLeader()
    {
        var round = _roundWanted;
        if (round) _round++;
        _roundWanted = false;
        foreach (var follower in _progress.Values)
        {
            Replicate(follower);
            // Also behind entries: the answer to those waits for a disk.
            if (round) SendHeartbeat(follower);
        }
    }

    /// <summary>Sends entries as far as the window allows, or begins to send a snapshot.</summary>
    private void Replicate(Progress follower)
    {
        while (follower.State != ProgressState.Snapshot && follower.Next <= _log.Last.Index)
        {
            if (follower.Next <= _log.Base.Index)
            {
                follower.SendSnapshot(_snapshot!, 0, _now);
                SendPiece(follower);
                return;
            }

            if (follower.State == ProgressState.Probe ? follower.Probing : follower.InFlight >= _options.MaxInFlight) return;
            var entries = _log.Take(follower.Next, _options.MaxAppendBytes);
            SendAppend(follower, follower.Next - 1, entries);
            if (follower.State == ProgressState.Probe) follower.Probing = true;
            else follower.Sent(entries[^1].Index);
        }
    }

    private void SendHeartbeat(Progress follower)
    {
        if (follower.State == ProgressState.Snapshot && _now - follower.OffsetSince >= _options.ElectionTimeout)
        {
            // Lost on the way, or the file is gone because a newer snapshot has replaced it.
            follower.SendSnapshot(_snapshot!, follower.Snapshot == _snapshot ? follower.Offset : 0, _now);
            SendPiece(follower);
        }

        // The follower may not have that entry. Its refusal tells, and is an answer all the same.
        SendAppend(follower, Math.Max(follower.Next - 1, _log.Base.Index), []);
    }

    private void SendAppend(Progress follower, long previous, IReadOnlyList<LogEntry> entries) =>
        Send(new AppendRequest(Id, follower.Id, Term, new(previous, _log.TermAt(previous)!.Value), entries, Commit, _round));

    private void OnAppendReply(AppendReply m)
    {
        if (Role != RaftRole.Leader || !_progress.TryGetValue(m.From, out var follower)) return;
        follower.Heard(_now, m.Round);
        if (!m.Accepted)
        {
            OnRefused(follower, m);
            return;
        }

        follower.Accepted(m.Match, _log.Base.Index);
        AdvanceCommit();
        if (Role != RaftRole.Leader) return;
        PromoteWhenCaughtUp(follower);
        HandOverWhenCaughtUp();
    }

    private void OnRefused(Progress follower, AppendReply m)
    {
        var late = m.RejectedIndex <= follower.Match || (follower.State == ProgressState.Probe && m.RejectedIndex != follower.Next - 1);
        if (late || follower.State == ProgressState.Snapshot) return;
        // A term that both have: everything up to its end here may agree. One that only the follower has: none of it does.
        var next = m.Conflict.Index;
        if (m.Conflict.Term > 0)
        {
            var ours = _log.LastUpToTerm(m.Conflict.Term);
            if (_log.TermAt(ours) == m.Conflict.Term) next = Math.Max(next, ours + 1);
        }

        follower.ProbeFrom(Math.Max(1, Math.Min(m.RejectedIndex, next)));
    }

    /// <summary>
    /// An entry is committed once a majority of the voters holds it durably. Only entries of this term are counted: an older one on a majority
    /// may still be replaced by a leader that has never seen it, unless one of ours is behind it.
    /// </summary>
    private void AdvanceCommit()
    {
        var reached = Configuration.ReachedByMajority(id => id == Id ? _durability.LastIndex : _progress[id].Match);
        if (reached <= Commit || _log.TermAt(reached) != Term) return;
        Commit = reached;
        if (LeaveWhenRemoved()) return;
        // Who has nothing under way would learn of it with the next heartbeat only.
        foreach (var follower in _progress.Values.Where(f => f.State == ProgressState.Replicate && f.InFlight == 0 && f.Next > _log.Last.Index))
            SendAppend(follower, follower.Next - 1, []);
    }
}
