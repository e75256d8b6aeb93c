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
        Header(bytes.Length, Checksum(bytes, file, offset)).CopyTo(frame, 0);
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

    /// <summary>The header alone, of a frame whose bytes are written after it.</summary>
    public static byte[] Header(int length, uint checksum)
    {
        var header = new byte[HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, Mark);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), checksum);
        return header;
    }

    /// <summary>What a header says: the length and the checksum; null when it is none.</summary>
    public static (int Length, uint Checksum)? ReadHeader(ReadOnlySpan<byte> header) =>
        header.Length >= HeaderBytes && BinaryPrimitives.ReadUInt32LittleEndian(header) == Mark
            ? (BinaryPrimitives.ReadInt32LittleEndian(header[4..]), BinaryPrimitives.ReadUInt32LittleEndian(header[8..]))
            : null;

    /// <summary>The checksum of bytes that come in blocks. Each block but the last is a multiple of eight bytes long.</summary>
    public static uint Begin(int length, long file, long offset) =>
        BitOperations.Crc32C(BitOperations.Crc32C(BitOperations.Crc32C(uint.MaxValue, (ulong)file), (ulong)offset), (uint)length);

    public static uint Continue(uint crc, ReadOnlySpan<byte> block)
    {
        for (; block.Length >= sizeof(ulong); block = block[sizeof(ulong)..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(block));
        foreach (var b in block) crc = BitOperations.Crc32C(crc, b);
        return crc;
    }

    public static uint End(uint crc) => ~crc;

    private static uint Checksum(ReadOnlySpan<byte> bytes, long file, long offset) => End(Continue(Begin(bytes.Length, file, offset), bytes));
}
