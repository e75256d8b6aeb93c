// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.HashiCorp.RaftData;

/// <summary>A page of a bbolt file with all that overflows from it: keys in order, each with a value or with the page of those that follow it (bbolt, page.go).</summary>
internal readonly struct BoltPage
{
    public const int HeaderBytes = 16;
    private const int ElementBytes = 16, MostKeyBytes = 32768;
    private const ushort Branch = 1, Leaf = 2;
    private const uint ValueIsBucket = 1;

    private readonly FilePart _part;

    public BoltPage(FilePart part)
    {
        _part = part;
        IsLeaf = part.UInt16(8) switch
        {
            Branch => false,
            Leaf => true,
            var flags => throw part.Damage(8, $"a page of the kind {flags} where keys are expected"),
        };
        Count = part.UInt16(10);
        if (!IsLeaf && Count == 0) throw part.Damage(10, "a page without any key");
    }

    public bool IsLeaf { get; }

    public int Count { get; }

    public byte[] Key(int i) => IsLeaf
        ? Of(i, UInt32(i, 4), UInt32(i, 8)).Bytes(MostKeyBytes)
        : Of(i, UInt32(i, 0), UInt32(i, 4)).Bytes(MostKeyBytes);

    /// <summary>Of a leaf.</summary>
    public FilePart Value(int i) => Of(i, UInt32(i, 4) + UInt32(i, 8), UInt32(i, 12));

    /// <summary>Of a leaf.</summary>
    public bool IsBucket(int i) => (UInt32(i, 0) & ValueIsBucket) != 0;

    /// <summary>Of a branch.</summary>
    public ulong Child(int i) => _part.UInt64(At(i) + 8);

    /// <summary>The last key that is not behind this one; -1 when all are.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Key(middle).AsSpan().SequenceCompareTo(key) <= 0) low = middle + 1;
            else high = middle;
        }

        return low - 1;
    }

    private static long At(int i) => HeaderBytes + (long)i * ElementBytes;

    private long UInt32(int i, int offset) => _part.UInt32(At(i) + offset);

    private FilePart Of(int i, long position, long size) => _part.Part(At(i) + position, size);
}
