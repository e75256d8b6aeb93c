// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>
/// A bbolt file as it was at one commit. Its pages are never changed in place, and what one commit has freed is used by the one after the next at the earliest:
/// as long as a commit is the newest, all that was read is of that commit, although a server writes.
/// </summary>
internal sealed class BoltFile
{
    /// <summary>bbolt, db.go.</summary>
    private const uint Magic = 0xED0CDAED, Version = 2;

    private const int MostAttempts = 100;

    private const int MetaBytes = 64, ChecksumAt = 56;

    /// <summary>What a page has is the system's: 4 KiB, 16 or 64 KiB on some. bbolt itself looks from 1 KiB on.</summary>
    private const int SmallestPage = 1024, LargestPage = 64 * 1024;

    private readonly DiskFile _file;
    private readonly Meta _meta;

    /// <summary>Of a file without any bucket: the two meta pages that bbolt begins with are 0 and 1 (db.go, init).</summary>
    public const ulong FirstTransactions = 1;

    private BoltFile(DiskFile file, Meta meta) => (_file, _meta) = (file, meta);

    private sealed record Meta(int PageSize, ulong Root, ulong HighWater, ulong Transaction);

    public ulong Transaction => _meta.Transaction;

    public BoltBucket Root => new(this, _meta.Root, null);

    /// <summary>Reads something of one commit, and again if there was another meanwhile.</summary>
    /// <param name="read">Short: a server that is busy commits some hundred times in a second.</param>
    /// <exception cref="RaftDataException">It is damaged, or never stood still for long enough.</exception>
    public static T AtOneCommit<T>(DiskFile file, Func<BoltFile, T> read, CancellationToken cancel)
    {
        for (var attempt = 1; attempt <= MostAttempts; attempt++)
        {
            cancel.ThrowIfCancellationRequested();
            file.Refresh();
            var bolt = new BoltFile(file, ReadMeta(file));
            try
            {
                var found = read(bolt);
                if (bolt.IsNewest()) return found;
            }
            catch (Exception e) when ((e is RaftDataException or IOException) && !bolt.IsNewest())
            {
                // What looked damaged was of two commits.
            }
        }

        throw new RaftDataException($"{file.Name} is written to faster than it can be read.");
    }

    private bool IsNewest()
    {
        _file.Refresh();
        return ReadMeta(_file).Transaction == _meta.Transaction;
    }

    public BoltPage Page(ulong id)
    {
        if (id < 2 || id >= _meta.HighWater || id > (ulong)(_file.Length / _meta.PageSize)) throw _file.Damage(0, $"page {id} is none of this file");
        var at = (long)id * _meta.PageSize;
        var header = _file.Whole.Part(at, BoltPage.HeaderBytes);
        if (header.UInt64(0) != id) throw header.Damage(0, $"page {header.UInt64(0)} where page {id} is expected");
        return new(_file.Whole.Part(at, (1L + header.UInt32(12)) * _meta.PageSize));
    }

    /// <summary>Of the two meta pages, the whole one with the higher transaction: a power cut may have torn the other.</summary>
    private static Meta ReadMeta(DiskFile file)
    {
        var first = MetaAt(file, 0);
        Meta? second = null;
        // If the first is torn, the size of a page is not known.
        for (var size = first?.PageSize ?? SmallestPage; second is null && size <= (first?.PageSize ?? LargestPage); size *= 2)
        {
            if (MetaAt(file, size) is { } meta && meta.PageSize == size) second = meta;
        }

        return (first, second) switch
        {
            (null, null) => throw file.Damage(0, "neither of the two pages with which such a file begins is whole"),
            (null, { } only) => only,
            ({ } only, null) => only,
            var (one, two) => one.Transaction > two.Transaction ? one : two,
        };
    }

    private static Meta? MetaAt(DiskFile file, long page)
    {
        if (file.Length < page + BoltPage.HeaderBytes + MetaBytes) return null;
        Span<byte> meta = stackalloc byte[MetaBytes];
        file.Read(page + BoltPage.HeaderBytes, meta);
        if (BinaryPrimitives.ReadUInt32LittleEndian(meta) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(meta[4..]) != Version) return null;
        if (BinaryPrimitives.ReadUInt64LittleEndian(meta[ChecksumAt..]) != Checksum(meta[..ChecksumAt])) return null;
        var size = BinaryPrimitives.ReadUInt32LittleEndian(meta[8..]);
        if (size is < SmallestPage or > LargestPage || !uint.IsPow2(size)) return null;
        var (root, highWater, transaction) = (Number(meta[16..]), Number(meta[40..]), Number(meta[48..]));
        return new((int)size, root, highWater, transaction);

        static ulong Number(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>FNV-1a with 64 bits.</summary>
    private static ulong Checksum(ReadOnlySpan<byte> bytes)
    {
        var sum = 14695981039346656037UL;
        foreach (var b in bytes) sum = (sum ^ b) * 1099511628211UL;
        return sum;
    }
}
