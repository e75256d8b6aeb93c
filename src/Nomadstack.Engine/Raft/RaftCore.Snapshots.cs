// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>Snapshots: of our own, in pieces to a follower, and in pieces from a leader.</summary>
internal sealed partial class RaftCore
{
    private readonly List<SnapshotRequest> _piecesToSend = [];
    private readonly List<SnapshotRequest> _piecesToStore = [];
    private (LogPosition Snapshot, long NextOffset, string From)? _incoming;
    private long _bytesSinceSnapshot;
    private long _snapshotBytes;

    /// <summary>What a snapshot of the state applied so far stands for.</summary>
    public SnapshotMeta AppliedState => new(new(Applied, _log.TermAt(Applied)!.Value), _configurations.At(Applied));

    /// <summary>
    /// What was applied since the last snapshot is worth a new one. A large state waits for as much log as it has bytes itself: written more often, it would
    /// cost more than the log it spares.
    /// </summary>
    public bool WantsSnapshot =>
        (Applied - (_snapshot?.Position.Index ?? 0) >= _options.SnapshotLogEntries || _bytesSinceSnapshot >= _options.SnapshotLogBytes) && _bytesSinceSnapshot >= _snapshotBytes;

    /// <summary>A snapshot of our own is durable: the log before it may go, but for a tail that spares slow followers a snapshot.</summary>
    public void SnapshotSaved(SnapshotMeta snapshot, long bytes)
    {
        if (_snapshot is not null && snapshot.Position.Index <= _snapshot.Position.Index) return;
        _snapshot = snapshot;
        _snapshotBytes = bytes;
        Compact();
    }

    /// <summary>A snapshot from the leader is durable; null when what arrived was damaged and must be sent again.</summary>
    public void SnapshotReceived(SnapshotMeta? snapshot)
    {
        if (_incoming is not { } incoming) return;
        _incoming = null;
        if (snapshot is not null && snapshot.Position.Index > Commit) Install(snapshot);
        if (Role != RaftRole.Follower || LeaderId != incoming.From) return;
        if (snapshot is null) Send(new SnapshotReply(Id, incoming.From, Term, incoming.Snapshot, 0, 0));
        else SendWhenDurable(new AppendReply(Id, incoming.From, Term, Accepted: true, snapshot.Position.Index, 0, default, 0));
    }

    private void Install(SnapshotMeta snapshot)
    {
        _snapshot = _restore = snapshot;
        Commit = Applied = snapshot.Position.Index;
        if (_log.Contains(snapshot.Position))
        {
            _durability.Covered(snapshot.Position.Index);
            Compact();
            return;
        }

        _log.ResetTo(snapshot.Position);
        _configurations.ResetTo(snapshot);
        _durability.ResetTo(snapshot.Position);
        _bytesSinceSnapshot = 0;
    }

    private void Compact()
    {
        var index = Math.Min(_snapshot!.Position.Index, _log.BeforeTail(_options.TrailingEntries, _options.SnapshotLogBytes / 2));
        _log.CompactTo(index);
        _configurations.CompactTo(_log.Base.Index);
        _durability.CompactTo(_log.Base.Index);
        _bytesSinceSnapshot = _log.Between(_snapshot.Position.Index + 1, Applied).Sum(e => (long)e.Payload.Length);
    }

    private void SendPiece(Progress follower) =>
        _piecesToSend.Add(new(Id, follower.Id, Term, follower.Snapshot!.Position, follower.Offset, default, Last: false, _round));

    private void OnSnapshotReply(SnapshotReply m)
    {
        if (Role != RaftRole.Leader || !_progress.TryGetValue(m.From, out var follower)) return;
        follower.Heard(_now, m.Round);
        if (follower.State != ProgressState.Snapshot || follower.Snapshot!.Position != m.Snapshot || (m.NextOffset > 0 && m.NextOffset <= follower.Offset)) return;
        follower.SendSnapshot(follower.Snapshot, m.NextOffset, _now);
        SendPiece(follower);
    }

    private void OnSnapshotRequest(SnapshotRequest m)
    {
        FollowLeader(m.From);
        if (m.Snapshot.Index <= Commit)
        {
            // What is committed here the leader has too.
            SendWhenDurable(new AppendReply(Id, m.From, Term, Accepted: true, Math.Min(Commit, _durability.LastIndex), 0, default, m.Round));
            return;
        }

        // Pieces of different senders do not fit together, even of the same snapshot.
        var incoming = _incoming is { } begun && begun.Snapshot == m.Snapshot && begun.From == m.From ? begun : (m.Snapshot, NextOffset: 0, m.From);
        if (m.Offset == incoming.NextOffset)
        {
            _piecesToStore.Add(m);
            incoming.NextOffset += m.Bytes.Length;
        }

        _incoming = incoming;
        // The last piece is answered when the snapshot is in force.
        if (m.Offset + m.Bytes.Length != incoming.NextOffset || !m.Last) Send(new SnapshotReply(Id, m.From, Term, m.Snapshot, incoming.NextOffset, m.Round));
    }
}
