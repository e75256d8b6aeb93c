// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>
/// The log of raft-wal: segments of entries, and <c>wal-meta.db</c> that says which segments count. Sealed ones have an index of their entries,
/// and only the last one, the tail, is written to (raft-wal v0.4.2, wal.go, state.go and segment/).
/// </summary>
internal static class WalLog
{
    public const string MetaFile = "wal-meta.db";

    /// <summary>A segment has some 250 bytes in it and 64 MiB on disk.</summary>
    private const int MostMetaBytes = 4 * 1024 * 1024;

    private static ReadOnlySpan<byte> MetaBucket => "wal-meta"u8;

    private static ReadOnlySpan<byte> MetaKey => "m"u8;

    private static ReadOnlySpan<byte> Stable => "stable"u8;

    /// <param name="folder">That of the segments.</param>
    /// <param name="after">Entries up to this index are in a snapshot, and their configurations with them.</param>
    public static RaftLogView Read(DiskFile meta, string folder, long after, CancellationToken cancel)
    {
        // The file changes with a segment, a vote or a term, and not with each entry.
        return meta.Length == 0 ? RaftLogView.Empty : BoltFile.AtOneCommit(meta, bolt => Read(bolt.Root, folder, after, cancel), cancel);
    }

    private static RaftLogView Read(BoltBucket root, string folder, long after, CancellationToken cancel)
    {
        var term = root.Bucket(Stable)?.Value(BoltLog.CurrentTerm) is { } value ? Term(value) : 0;
        var segments = root.Bucket(MetaBucket)?.Value(MetaKey) is { } list ? Segments(list) : [];
        if (segments.Count == 0)
        {
            // The list names a segment before its file is made, and never again none.
            if (Directory.EnumerateFiles(folder, "*.wal").Any()) throw new RaftDataException($"{MetaFile} names no segment, and there are some.");
            return RaftLogView.Empty with { Term = term };
        }


        var reader = new RaftLogReader(after);
        foreach (var segment in segments.AsEnumerable().Reverse())
        {
            if (!segment.IsSealed) WalSegment.ReadTail(folder, segment, reader, cancel);
            else if (!reader.IsDoneAt(segment.MaxIndex)) WalSegment.ReadSealed(folder, segment, reader, cancel);
        }

        return reader.View(term, reader.Last.Index == 0 ? 0 : segments[0].MinIndex);
    }

    /// <summary>Unlike <c>raft.db</c>, raft-wal writes numbers with the lowest byte first (wal.go, SetUint64).</summary>
    private static long Term(FilePart value)
    {
        var bytes = value.Bytes(sizeof(ulong));
        if (bytes.Length == 0) return 0;
        return bytes.Length == sizeof(ulong) && BinaryPrimitives.ReadUInt64LittleEndian(bytes) is <= long.MaxValue and var term
            ? (long)term
            : throw value.Damage(0, "not a number where a term is expected");
    }

    private static List<WalSegmentInfo> Segments(FilePart value)
    {
        try
        {
            using var document = JsonDocument.Parse(value.Bytes(MostMetaBytes));
            if (!document.RootElement.TryGetProperty("Segments", out var list) || list.ValueKind == JsonValueKind.Null) return [];
            List<WalSegmentInfo> segments = [.. list.EnumerateArray().Select(Segment)];
            if (segments.SkipLast(1).Any(s => !s.IsSealed)) throw value.Damage(0, "a segment before the last one is not sealed");
            return segments;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw value.Damage(0, $"the list of segments cannot be read ({e.Message.TrimEnd('.')})");
        }
    }

    private static WalSegmentInfo Segment(JsonElement s) =>
        new(Number(s, "ID"), Number(s, "BaseIndex"), Number(s, "MinIndex"), Number(s, "MaxIndex"), Number(s, "Codec"), Number(s, "IndexStart"));

    private static long Number(JsonElement segment, string name) => segment.GetProperty(name).GetInt64();
}

/// <summary>A segment as <c>wal-meta.db</c> has it.</summary>
/// <param name="MinIndex">The first entry that still counts.</param>
/// <param name="MaxIndex">The last entry that counts; 0 for a segment that is not sealed.</param>
/// <param name="IndexStart">Where in the file the places of its entries are; 0 for a segment that is not sealed.</param>
internal sealed record WalSegmentInfo(long Id, long BaseIndex, long MinIndex, long MaxIndex, long Codec, long IndexStart)
{
    public bool IsSealed => MaxIndex > 0;

    public string FileName => string.Create(CultureInfo.InvariantCulture, $"{BaseIndex:d20}-{Id:x16}.wal");
}
