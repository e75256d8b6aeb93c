// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>
/// Raft's five properties and one for changes of the membership, checked whenever a server has done something. It remembers everything that was ever
/// written, committed or applied anywhere, also by servers that have forgotten it.
/// </summary>
internal sealed class Invariants
{
    private readonly Dictionary<long, string> _leaders = [];
    private readonly Dictionary<LogPosition, (ulong Content, long? PreviousTerm)> _entries = [];
    private readonly List<(long Term, ulong Content)> _committed = [default];
    private readonly Dictionary<long, (int Count, ulong Hash)> _states = [];

    public long Committed => _committed.Count - 1;

    public int Elections => _leaders.Count;

    /// <summary>Log matching: an index and a term stand for one entry, and one entry before it, wherever they are found.</summary>
    public void Written(string server, RaftCore core, PersistBatch batch)
    {
        foreach (var entry in batch.Entries)
        {
            var (content, previous) = (ContentOf(entry), core.Log.TermAt(entry.Index - 1));
            if (!_entries.TryGetValue(new(entry.Index, entry.Term), out var known))
            {
                _entries.Add(new(entry.Index, entry.Term), (content, previous));
                continue;
            }

            Require(known.Content == content && (known.PreviousTerm is null || previous is null || known.PreviousTerm == previous), $"log matching: {server} writes another entry {entry.Index} of term {entry.Term}");
        }

        if (!batch.Entries.Any(e => e.Kind == EntryKind.Configuration)) return;
        var uncommitted = 0;
        for (var i = Math.Max(Committed, core.Log.Base.Index) + 1; i <= core.Last.Index; i++)
            if (core.Log[i].Kind == EntryKind.Configuration) uncommitted++;
        Require(uncommitted <= 1, $"membership: {server} holds {uncommitted} changes that are not committed");
    }

    public void Stepped(SimServer server)
    {
        var core = server.Core!;
        if (core.Role == RaftRole.Leader) CheckLeader(server, core);
        else server.LedUpTo = null;
        for (var i = Math.Max(server.SeenCommit, core.Log.Base.Index) + 1; i <= core.Commit; i++) CheckCommit(server, core.Log[i]);
        Require(core.Commit >= server.SeenCommit, $"{server.Id} takes its commit index back from {server.SeenCommit} to {core.Commit}");
        Require(core.Term >= server.SeenTerm, $"{server.Id} goes back from term {server.SeenTerm} to {core.Term}");
        (server.SeenCommit, server.SeenTerm) = (core.Commit, core.Term);
    }

    /// <summary>State-machine safety: every server applies the same entries in the same order, each once.</summary>
    public void Applied(SimServer server, LogEntry entry)
    {
        Require(entry.Index == server.SeenApplied + 1, $"state-machine safety: {server.Id} applies entry {entry.Index} behind {server.SeenApplied}");
        Require(entry.Index <= Committed && _committed[(int)entry.Index] == (entry.Term, ContentOf(entry)), $"state-machine safety: {server.Id} applies entry {entry.Index} of term {entry.Term}, which is not the committed one");
        server.SeenApplied = entry.Index;
        CheckState(server);
    }

    public void Restored(SimServer server, SnapshotMeta snapshot)
    {
        Require(snapshot.Position.Index <= Committed && _committed[(int)snapshot.Position.Index].Term == snapshot.Position.Term, $"state-machine safety: {server.Id} restores a snapshot of {snapshot.Position}, which is not committed");
        server.SeenApplied = snapshot.Position.Index;
        CheckState(server);
    }

    private void CheckState(SimServer server)
    {
        var state = (server.Machine.Count, server.Machine.Hash);
        if (!_states.TryAdd(server.SeenApplied, state)) Require(_states[server.SeenApplied] == state, $"state-machine safety: the state of {server.Id} after entry {server.SeenApplied} is another one than elsewhere");
    }

    private void CheckLeader(SimServer server, RaftCore core)
    {
        Require(_leaders.TryAdd(core.Term, server.Id) || _leaders[core.Term] == server.Id, $"election safety: {_leaders[core.Term]} and {server.Id} both lead term {core.Term}");
        if (server.LedUpTo is not { } before)
        {
            for (var i = core.Log.Base.Index; i <= Committed; i++)
                Require(i == 0 || core.Log.TermAt(i) == _committed[(int)i].Term, $"leader completeness: {server.Id} leads term {core.Term} without the committed entry {i} of term {_committed[(int)i].Term}");
        }
        else
        {
            Require(core.Last.Index >= before.Index && (before.Index < core.Log.Base.Index || core.Log.Contains(before)), $"leader append-only: {server.Id} takes {before} back while it leads term {core.Term}");
        }

        server.LedUpTo = core.Last;
    }

    private void CheckCommit(SimServer server, LogEntry entry)
    {
        if (entry.Index > Committed)
        {
            Require(entry.Index == Committed + 1, $"{server.Id} commits entry {entry.Index}, and nobody has committed the one before it");
            _committed.Add((entry.Term, ContentOf(entry)));
        }

        Require(_committed[(int)entry.Index] == (entry.Term, ContentOf(entry)), $"state-machine safety: {server.Id} commits entry {entry.Index} of term {entry.Term}, and another one was committed in term {_committed[(int)entry.Index].Term}");
    }

    private static ulong ContentOf(LogEntry entry)
    {
        var hash = (ulong)entry.Kind;
        foreach (var b in entry.Payload.Span) hash = (hash ^ b) * 0x100_0000_01B3;
        return hash;
    }

    private static void Require(bool holds, string violation)
    {
        if (!holds) throw new ViolationException(violation);
    }
}
