// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

internal enum ProgressState
{
    /// <summary>Where the logs part is not known: one append at a time.</summary>
    Probe,

    /// <summary>The logs agree: appends follow each other without waiting for answers.</summary>
    Replicate,

    /// <summary>The follower needs entries that are gone, and gets a snapshot in pieces.</summary>
    Snapshot,
}

/// <summary>What a leader knows of one other server.</summary>
internal sealed class Progress(string id, long next, TimeSpan now)
{
    private readonly Queue<long> _inFlight = new();

    public string Id { get; } = id;

    public ProgressState State { get; private set; }

    /// <summary>Up to here its log is known to be ours, and durable.</summary>
    public long Match { get; private set; }

    /// <summary>The next entry to send.</summary>
    public long Next { get; private set; } = next;

    /// <summary>When it last answered in this term.</summary>
    public TimeSpan Contact { get; private set; } = now;

    /// <summary>The latest heartbeat round it answered.</summary>
    public long Round { get; private set; }

    /// <summary>A probe is under way.</summary>
    public bool Probing { get; set; }

    /// <summary>The snapshot it is getting, the piece under way and since when.</summary>
    public SnapshotMeta? Snapshot { get; private set; }

    public long Offset { get; private set; }

    public TimeSpan OffsetSince { get; private set; }

    public int InFlight => _inFlight.Count;

    public void Heard(TimeSpan now, long round)
    {
        Contact = now;
        Round = Math.Max(Round, round);
    }

    public void Sent(long last)
    {
        Next = last + 1;
        _inFlight.Enqueue(last);
    }

    /// <param name="match">Its log is ours and durable up to here.</param>
    /// <param name="available">Our log reaches back to here: with this much it needs no snapshot.</param>
    public void Accepted(long match, long available)
    {
        Match = Math.Max(Match, match);
        Next = Math.Max(Next, Match + 1);
        while (_inFlight.TryPeek(out var last) && last <= Match) _inFlight.Dequeue();
        Probing = false;
        if (State == ProgressState.Snapshot && Match < available) return;
        State = ProgressState.Replicate;
        Snapshot = null;
    }

    public void ProbeFrom(long next)
    {
        State = ProgressState.Probe;
        Next = Math.Max(next, Match + 1);
        Probing = false;
        Snapshot = null;
        _inFlight.Clear();
    }

    public void SendSnapshot(SnapshotMeta snapshot, long offset, TimeSpan now)
    {
        State = ProgressState.Snapshot;
        (Snapshot, Offset, OffsetSince) = (snapshot, offset, now);
        _inFlight.Clear();
    }
}
