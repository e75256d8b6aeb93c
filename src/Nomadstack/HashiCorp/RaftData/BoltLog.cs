// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>The log in <c>raft.db</c> (raft-boltdb, bolt_store.go): the bucket <c>logs</c> with the index as key, and <c>conf</c> with values.</summary>
internal static class BoltLog
{
    public const string FileName = "raft.db";

    private static ReadOnlySpan<byte> Logs => "logs"u8;

    private static ReadOnlySpan<byte> Conf => "conf"u8;

    public static ReadOnlySpan<byte> CurrentTerm => "CurrentTerm"u8;

    /// <param name="after">Entries up to this index are in a snapshot, and their configurations with them.</param>
    /// <returns>Null if entries were replaced meanwhile.</returns>
    public static RaftLogView? Read(DiskFile file, long after, CancellationToken cancel)
    {
        // The server has just begun to make it.
        if (file.Length == 0) return RaftLogView.Empty;
        var (term, first) = BoltFile.AtOneCommit(file, bolt => (Term(bolt), BucketOf(bolt, Logs)?.First() is { } key ? Index(key, file.Whole) : 0), cancel);
        var reader = new RaftLogReader(after);
        // A page at a time, so that a busy server's commits do not disturb: an entry stays as it is, unless a new leader replaces it.
        for (var next = long.MaxValue; !reader.IsDoneAt(next);)
        {
            var entries = BoltFile.AtOneCommit(file, bolt => UpTo(bolt, next), cancel);
            if (entries.Count == 0) break;
            foreach (var entry in entries.Where(e => !reader.IsDoneAt(e.Index))) reader.Add(entry);
            next = entries[^1].Index - 1;
        }

        var last = reader.Last;
        var same = last.Index == 0 || (BoltFile.AtOneCommit(file, bolt => UpTo(bolt, last.Index), cancel) is [var now, ..] && (now.Index, now.Term) == (last.Index, last.Term));
        return same ? reader.View(term, first) : null;
    }

    private static long Term(BoltFile bolt) => BucketOf(bolt, Conf)?.Value(CurrentTerm) is { } value ? Index(value.Bytes(sizeof(ulong)), value) : 0;

    /// <summary>The server makes both buckets in the first commit after those with which bbolt makes the file. Null before that.</summary>
    private static BoltBucket? BucketOf(BoltFile bolt, ReadOnlySpan<byte> name) => bolt.Root.Bucket(name)
        ?? (bolt.Transaction <= BoltFile.FirstTransactions
            ? null
            : throw new RaftDataException($"{FileName} has no {Encoding.ASCII.GetString(name)}: it is damaged, or another program's."));

    /// <summary>Some entries, the last one up to this index first.</summary>
    private static List<RaftEntry> UpTo(BoltFile bolt, long index)
    {
        var key = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteInt64BigEndian(key, index);
        List<RaftEntry> entries = [];
        foreach (var (at, value) in BucketOf(bolt, Logs)?.UpTo(key) ?? [])
        {
            var entry = RaftEntry.FromMsgpack(Index(at, value), value);
            if (entry.Index > (entries is [.., var behind] ? behind.Index - 1 : index)) throw value.Damage(0, $"entry {entry.Index} is out of order");
            entries.Add(entry);
        }

        return entries;
    }

    private static long Index(byte[] bytes, FilePart where) =>
        bytes.Length == sizeof(ulong) && BinaryPrimitives.ReadUInt64BigEndian(bytes) is <= long.MaxValue and var index
            ? (long)index
            : throw where.Damage(0, "not a number where an index or a term is expected");
}
