// SPDX-License-Identifier: MPL-2.0
using System.Numerics;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>A segment of raft-wal: a header, then frames (segment/format.go). Only what a commit frame with the right checksum ends counts.</summary>
internal static class WalSegment
{
    private const uint Magic = 0x58eb6b0d;
    private const int HeaderBytes = 32, FrameHeaderBytes = 8;
    private const byte EntryFrame = 1, IndexFrame = 2, CommitFrame = 3;

    /// <summary>codec.go: CodecBinaryV1.</summary>
    private const long BinaryCodec = 1;

    /// <summary>Reads entries from the last one back, until a configuration is found.</summary>
    public static void ReadSealed(string folder, WalSegmentInfo info, RaftLogReader reader, CancellationToken cancel)
    {
        using var file = DiskFile.Open(Path.Combine(folder, info.FileName));
        CheckHeader(file.Whole, info);
        if (info.MinIndex < info.BaseIndex || info.BaseIndex < 1) throw file.Damage(0, $"it is said to hold entries from {info.MinIndex} on");
        for (var index = info.MaxIndex; index >= info.MinIndex; index--)
        {
            cancel.ThrowIfCancellationRequested();
            if (reader.IsDoneAt(index)) return;
            var at = file.Whole.Part(info.IndexStart, file.Length - info.IndexStart).UInt32((index - info.BaseIndex) * sizeof(uint));
            if (file.Whole.Byte(at) != EntryFrame) throw file.Damage(at, $"entry {index} is not there");
            reader.Add(RaftEntry.FromBinary(index, file.Whole.Part(at + FrameHeaderBytes, file.Whole.UInt32(at + 4))));
        }
    }

    /// <summary>
    /// Reads what raft-wal itself would find at its start (segment/writer.go, recoverTail). If no entry is behind the last commit frame, nobody may have
    /// been told of that commit, and its checksum decides whether it counts.
    /// </summary>
    public static void ReadTail(string folder, WalSegmentInfo info, RaftLogReader reader, CancellationToken cancel)
    {
        DiskFile file;
        try
        {
            file = DiskFile.Open(Path.Combine(folder, info.FileName));
        }
        catch (FileNotFoundException)
        {
            // It was named in wal-meta.db, and then the power went.
            return;
        }

        using (file)
        {
            var (entries, committed, before) = (0L, 0L, 0L);
            var (start, end, commits) = (0L, 0L, 0);
            foreach (var frame in Frames(file, cancel))
            {
                if (frame.Kind == EntryFrame) entries++;
                if (frame.Kind != CommitFrame) continue;
                (before, committed, commits) = (committed, entries, commits + 1);
                (start, end) = (end == 0 ? 0 : end + FrameHeaderBytes, frame.At);
            }

            if (commits > 0 && entries == committed && file.Whole.UInt32(end + 4) != Checksum(file.Whole.Part(start, end - start))) committed = before;
            if (committed == 0) return;
            CheckHeader(file.Whole, info);
            var index = info.BaseIndex;
            foreach (var frame in Frames(file, cancel).Where(f => f.Kind == EntryFrame).TakeWhile(_ => index < info.BaseIndex + committed))
            {
                if (index >= info.MinIndex) reader.Add(RaftEntry.FromBinary(index, file.Whole.Part(frame.At + FrameHeaderBytes, frame.Length)));
                index++;
            }
        }
    }

    /// <summary>All frames up to the first that is none, or the end of the file.</summary>
    private static IEnumerable<(byte Kind, long At, long Length)> Frames(DiskFile file, CancellationToken cancel)
    {
        for (var at = (long)HeaderBytes; at + FrameHeaderBytes <= file.Length;)
        {
            cancel.ThrowIfCancellationRequested();
            var kind = file.Whole.Byte(at);
            if (kind is not (EntryFrame or IndexFrame or CommitFrame)) break;
            var length = kind == CommitFrame ? 0L : file.Whole.UInt32(at + 4);
            yield return (kind, at, length);
            at += FrameHeaderBytes + (length + FrameHeaderBytes - 1) / FrameHeaderBytes * FrameHeaderBytes;
        }
    }

    private static void CheckHeader(FilePart file, WalSegmentInfo info)
    {
        // Behind the magic number are three reserved bytes and the version, all 0.
        if (file.UInt64(0) != Magic) throw file.Damage(0, "it does not begin as a segment of raft-wal");
        if (file.UInt64(8) != (ulong)info.BaseIndex || file.UInt64(16) != (ulong)info.Id) throw file.Damage(8, "it is another segment than its name says");
        var codec = file.UInt64(24);
        if (codec != (ulong)info.Codec || info.Codec != BinaryCodec) throw file.Damage(24, $"its entries are encoded as {codec}, which this reader does not know");
    }

    /// <summary>CRC32C.</summary>
    private static uint Checksum(FilePart part)
    {
        var crc = uint.MaxValue;
        Span<byte> block = stackalloc byte[4096];
        for (var at = 0L; at < part.Length; at += block.Length)
        {
            var bytes = block[..(int)Math.Min(block.Length, part.Length - at)];
            part.Read(at, bytes);
            foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
