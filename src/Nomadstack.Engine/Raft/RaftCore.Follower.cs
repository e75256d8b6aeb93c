// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What a follower does with the leader's entries.</summary>
internal sealed partial class RaftCore
{
    private void OnAppendRequest(AppendRequest m)
    {
        FollowLeader(m.From);
        var (previous, entries) = (m.Previous, m.Entries);
        if (previous.Index < _log.Base.Index)
        {
            // What a snapshot covers is committed, so the leader has the same.
            entries = [.. entries.Where(e => e.Index > _log.Base.Index)];
            previous = _log.Base;
        }

        if (!_log.Contains(previous))
        {
            Send(new AppendReply(Id, m.From, Term, Accepted: false, 0, m.Previous.Index, ConflictAt(previous.Index), m.Round));
            return;
        }

        foreach (var entry in entries)
        {
            if (_log.Contains(new(entry.Index, entry.Term))) continue;
            if (entry.Index <= _log.Last.Index) TruncateFrom(entry.Index);
            Append(entry);
        }

        var match = previous.Index + entries.Count;
        Commit = Math.Max(Commit, Math.Min(m.Commit, match));
        if (entries.Count == 0 && _durability.HardState.Term == Term)
        {
            // A heartbeat's answer does not wait behind a slow disk, and promises only what is there already.
            Send(new AppendReply(Id, m.From, Term, Accepted: true, Math.Min(match, _durability.LastIndex), 0, default, m.Round));
            return;
        }

        SendWhenDurable(new AppendReply(Id, m.From, Term, Accepted: true, match, 0, default, m.Round));
    }

    /// <summary>Where the leader should look next: the start of the term that is here instead, or the end of a log that is too short.</summary>
    private LogPosition ConflictAt(long index) =>
        _log.TermAt(index) is { } term ? new(_log.FirstOfTerm(index), term) : new(_log.Last.Index + 1, 0);

    private void TruncateFrom(long index)
    {
        if (index <= Commit) throw new InvalidOperationException($"Entry {index} of {Id} is committed and would be replaced.");
        _log.TruncateFrom(index);
        _configurations.TruncateFrom(index);
        _durability.TruncateFrom(index);
    }
}
