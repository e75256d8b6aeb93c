// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>Writes a bbolt file as bbolt would have left it: two meta pages, a free list, a root, and a tree for each bucket.</summary>
/// <param name="fanOut">Keys of a page at most; few make many levels.</param>
internal sealed class BoltBuilder(int pageSize = 4096, int fanOut = int.MaxValue)
{
    private const int Header = 16, Element = 16;
    private readonly List<byte[]> _pages = [];
    private readonly SortedDictionary<string, List<(byte[] Key, byte[] Value)>> _buckets = new(StringComparer.Ordinal);

    /// <summary>Buckets that stand within their value in the root.</summary>
    public HashSet<string> Inline { get; } = [];

    /// <summary>Taken from each leaf but the first of a tree, while the page above still names the lost key.</summary>
    public int LostFirstKeys { get; init; }

    public ulong Transaction { get; init; } = 7;

    public BoltBuilder Bucket(string name, params IEnumerable<(byte[] Key, byte[] Value)> entries)
    {
        _buckets[name] = [.. entries];
        return this;
    }

    public byte[] Build()
    {
        _pages.Clear();
        // The metas come last, and the free list is not read.
        for (var i = 0; i < 3; i++) _pages.Add(new byte[pageSize]);
        Number(_pages[2], 0, 2);
        _pages[2][8] = 0x10;
        var root = Leaf([.. _buckets.Select(b => (Encoding.ASCII.GetBytes(b.Key), BucketValue(b.Key, b.Value), 1u))]);
        var file = new byte[_pages.Sum(p => p.Length)];
        var newest = Meta(Transaction, root);
        // The other one is of the commit before, and points to a page that has been used again.
        var older = Meta(Transaction - 1, 2);
        var even = Transaction % 2 == 0;
        (even ? newest : older).CopyTo(_pages[0], 0);
        (even ? older : newest).CopyTo(_pages[1], 0);
        _pages[1][0] = 1;
        var at = 0;
        foreach (var page in _pages)
        {
            page.CopyTo(file, at);
            at += page.Length;
        }

        return file;
    }

    public static byte[] Key(long index)
    {
        var key = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(key, index);
        return key;
    }

    /// <summary>Makes a meta page whole again after a change.</summary>
    public static void Seal(Span<byte> meta)
    {
        var sum = 0xcbf29ce484222325UL;
        foreach (var b in meta[..56]) sum = (sum ^ b) * 0x100000001b3UL;
        BinaryPrimitives.WriteUInt64LittleEndian(meta[56..], sum);
    }

    private byte[] BucketValue(string name, List<(byte[] Key, byte[] Value)> entries)
    {
        var value = new byte[16];
        if (Inline.Contains(name)) return [.. value, .. Page(2, 0, [.. entries.Select(e => (e.Key, e.Value, 0u))], null)];
        Number(value, 0, Tree(entries));
        return value;
    }

    private ulong Tree(List<(byte[] Key, byte[] Value)> entries)
    {
        if (entries.Count == 0) return Leaf([]);
        List<(byte[] Key, ulong Page)> level = [];
        foreach (var chunk in Chunks(entries))
        {
            var kept = level.Count == 0 ? chunk : chunk[Math.Min(LostFirstKeys, chunk.Count - 1)..];
            level.Add((chunk[0].Key, Leaf([.. kept.Select(e => (e.Key, e.Value, 0u))])));
        }

        while (level.Count > 1)
            level = [.. level.Chunk(Math.Min(fanOut, (pageSize - Header) / (Element + 8))).Select(chunk => (chunk[0].Key, Add(1, chunk.Select(c => (c.Key, Array.Empty<byte>(), 0u)).ToList(), [.. chunk.Select(c => c.Page)])))];
        return level[0].Page;
    }

    private IEnumerable<List<(byte[] Key, byte[] Value)>> Chunks(List<(byte[] Key, byte[] Value)> entries)
    {
        var (chunk, size) = (new List<(byte[] Key, byte[] Value)>(), Header);
        foreach (var entry in entries)
        {
            var more = Element + entry.Key.Length + entry.Value.Length;
            if (chunk.Count > 0 && (size + more > pageSize || chunk.Count == fanOut))
            {
                yield return chunk;
                (chunk, size) = ([], Header);
            }

            chunk.Add(entry);
            size += more;
        }

        yield return chunk;
    }

    private ulong Leaf(List<(byte[] Key, byte[] Value, uint Flags)> elements) => Add(2, elements, null);

    private ulong Add(byte flags, List<(byte[] Key, byte[] Value, uint Flags)> elements, List<ulong>? children)
    {
        var id = (ulong)(_pages.Sum(p => p.Length) / pageSize);
        var page = Page(flags, id, elements, children);
        Array.Resize(ref page, (page.Length + pageSize - 1) / pageSize * pageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(12), (uint)(page.Length / pageSize - 1));
        _pages.Add(page);
        return id;
    }

    private static byte[] Page(byte flags, ulong id, List<(byte[] Key, byte[] Value, uint Flags)> elements, List<ulong>? children)
    {
        var page = new byte[Header + elements.Sum(e => Element + e.Key.Length + e.Value.Length)];
        Number(page, 0, id);
        page[8] = flags;
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(10), (ushort)elements.Count);
        var data = Header + Element * elements.Count;
        for (var i = 0; i < elements.Count; i++)
        {
            var (at, (key, value, kind)) = (Header + Element * i, elements[i]);
            uint[] fields = children is null ? [kind, (uint)(data - at), (uint)key.Length, (uint)value.Length] : [(uint)(data - at), (uint)key.Length];
            for (var f = 0; f < fields.Length; f++) BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(at + 4 * f), fields[f]);
            if (children is not null) Number(page, at + 8, children[i]);
            key.CopyTo(page, data);
            value.CopyTo(page, data + key.Length);
            data += key.Length + value.Length;
        }

        return page;
    }

    private byte[] Meta(ulong transaction, ulong root)
    {
        var page = new byte[pageSize];
        page[8] = 4;
        var meta = page.AsSpan(Header, 64);
        BinaryPrimitives.WriteUInt32LittleEndian(meta, 0xED0CDAED);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[4..], 2);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[8..], (uint)pageSize);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[16..], root);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[32..], 2);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[40..], (ulong)(_pages.Sum(p => p.Length) / pageSize));
        BinaryPrimitives.WriteUInt64LittleEndian(meta[48..], transaction);
        Seal(meta);
        return page;
    }

    private static void Number(byte[] into, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(into.AsSpan(at), value);
}
