// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Numerics;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// The unit of what is written and synced at once: a mark, the length, a CRC32C, the bytes. The checksum covers the file's number and the place in it too,
/// so that bytes which only look like a frame, in a payload or left over from another file, are none.
/// </summary>
internal static class Frame
{
    public const int HeaderBytes = 12;
    private const uint Mark = 0x5446_524E; // "NRFT", little-endian

    public static byte[] Wrap(ReadOnlySpan<byte> bytes, long file, long offset)
    {
        var frame = new byte[HeaderBytes + bytes.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Mark);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), Checksum(bytes, file, offset));
        bytes.CopyTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    /// <summary>The bytes of the whole, undamaged frame at an offset, or null.</summary>
    public static ReadOnlyMemory<byte>? TryRead(ReadOnlyMemory<byte> content, long file, int offset)
    {
        var left = content[offset..];
        if (left.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(left.Span) != Mark) return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(left.Span[4..]);
        if (length < 0 || length > left.Length - HeaderBytes) return null;
        var bytes = left.Slice(HeaderBytes, length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(left.Span[8..]) != Checksum(bytes.Span, file, offset)) return null;
        return bytes;
    }

    /// <summary>Where the next undamaged frame begins at or after an offset, or null.</summary>
    public static int? Find(ReadOnlyMemory<byte> content, long file, int offset)
    {
        Span<byte> mark = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(mark, Mark);
        for (; offset < content.Length; offset++)
        {
            if (content.Span[offset..].IndexOf(mark) is not (>= 0 and var skip)) return null;
            offset += skip;
            if (TryRead(content, file, offset) is not null) return offset;
        }

        return null;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes, long file, long offset)
    {
        var crc = BitOperations.Crc32C(BitOperations.Crc32C(uint.MaxValue, (ulong)file), (ulong)offset);
        crc = BitOperations.Crc32C(crc, (uint)bytes.Length);
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
