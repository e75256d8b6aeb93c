// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>Messages as bytes. What cannot be read is an <see cref="InvalidDataException"/>, never a guess.</summary>
internal static class RaftCodec
{
    public static WireWriter Encode(RaftMessage message)
    {
        var w = new WireWriter();
        w.Byte(message switch
        {
            VoteRequest => 1,
            VoteReply => 2,
            AppendRequest => 3,
            AppendReply => 4,
            SnapshotRequest => 5,
            SnapshotReply => 6,
            TimeoutNow => 7,
            _ => throw new ArgumentException($"{message.GetType().Name} is no message between servers.", nameof(message)),
        });
        w.Text(message.From);
        w.Text(message.To);
        w.Int64(message.Term);
        switch (message)
        {
            case VoteRequest m:
                w.Position(m.Last);
                w.Bool(m.PreVote);
                w.Bool(m.Transfer);
                break;
            case VoteReply m:
                w.Bool(m.PreVote);
                w.Bool(m.Granted);
                break;
            case AppendRequest m:
                w.Position(m.Previous);
                w.Int64(m.Commit);
                w.Int64(m.Round);
                w.Int32(m.Entries.Count);
                foreach (var entry in m.Entries) w.Entry(entry);
                break;
            case AppendReply m:
                w.Bool(m.Accepted);
                w.Int64(m.Match);
                w.Int64(m.RejectedIndex);
                w.Position(m.Conflict);
                w.Int64(m.Round);
                break;
            case SnapshotRequest m:
                w.Position(m.Snapshot);
                w.Int64(m.Offset);
                w.Bytes(m.Bytes.Span);
                w.Bool(m.Last);
                w.Int64(m.Round);
                break;
            case SnapshotReply m:
                w.Position(m.Snapshot);
                w.Int64(m.NextOffset);
                w.Int64(m.Round);
                break;
        }

        return w;
    }

    /// <summary>The message. Its payloads are views of <paramref name="bytes"/>.</summary>
    public static RaftMessage Decode(ReadOnlyMemory<byte> bytes)
    {
        var r = new WireReader(bytes);
        var kind = r.Byte();
        var (from, to, term) = (r.Text(), r.Text(), r.Int64());
        RaftMessage message = kind switch
        {
            1 => new VoteRequest(from, to, term, r.Position(), r.Bool(), r.Bool()),
            2 => new VoteReply(from, to, term, r.Bool(), r.Bool()),
            3 => DecodeAppend(from, to, term, r),
            4 => new AppendReply(from, to, term, r.Bool(), r.Int64(), r.Int64(), r.Position(), r.Int64()),
            5 => new SnapshotRequest(from, to, term, r.Position(), r.Int64(), r.Bytes(), r.Bool(), r.Int64()),
            6 => new SnapshotReply(from, to, term, r.Position(), r.Int64(), r.Int64()),
            7 => new TimeoutNow(from, to, term),
            _ => throw new InvalidDataException($"{kind} is no kind of message."),
        };
        return r.AtEnd ? message : throw new InvalidDataException($"Bytes are left over behind a {message.GetType().Name}.");
    }

    private static AppendRequest DecodeAppend(string from, string to, long term, WireReader r)
    {
        var (previous, commit, round) = (r.Position(), r.Int64(), r.Int64());
        var entries = new List<LogEntry>();
        for (var left = r.Int32(); left > 0; left--) entries.Add(r.Entry());
        return new(from, to, term, previous, entries, commit, round);
    }
}
