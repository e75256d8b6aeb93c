// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>
/// Linearizable reads without an entry in the log: the leader notes its commit index, makes sure by a heartbeat round that began afterwards that it
/// still leads, and lets the read see everything up to that index.
/// </summary>
internal sealed partial class RaftCore
{
    private readonly List<(long Id, long Index, long Round)> _reads = [];
    private readonly List<long> _readsBeforeCommit = [];
    private readonly List<ReadResult> _readResults = [];

    /// <summary>Asks for a read. The answer is in the output, also when it is no.</summary>
    public void Read(long readId)
    {
        if (Role != RaftRole.Leader) _readResults.Add(new(readId, 0, Granted: false));
        else if (!HasCommittedInTerm) _readsBeforeCommit.Add(readId);
        else Enqueue(readId);
    }

    private void Enqueue(long readId)
    {
        _reads.Add((readId, Commit, _round + 1));
        _roundWanted = true;
    }

    private void RefuseReads()
    {
        _readResults.AddRange(_reads.Select(r => new ReadResult(r.Id, 0, Granted: false)));
        _readResults.AddRange(_readsBeforeCommit.Select(id => new ReadResult(id, 0, Granted: false)));
        _reads.Clear();
        _readsBeforeCommit.Clear();
    }

    private List<ReadResult> TakeReads()
    {
        if (Role == RaftRole.Leader && (_reads.Count > 0 || _readsBeforeCommit.Count > 0))
        {
            if (HasCommittedInTerm)
            {
                _readsBeforeCommit.ForEach(Enqueue);
                _readsBeforeCommit.Clear();
            }

            // The leader itself has answered every round; it is asked only where it has a vote.
            var confirmed = Configuration.ReachedByMajority(id => id == Id ? _round : _progress[id].Round);
            _readResults.AddRange(_reads.Where(r => r.Round <= confirmed && r.Index <= Applied).Select(r => new ReadResult(r.Id, r.Index, Granted: true)));
            _reads.RemoveAll(r => r.Round <= confirmed && r.Index <= Applied);
        }

        List<ReadResult> taken = [.. _readResults];
        _readResults.Clear();
        return taken;
    }
}
