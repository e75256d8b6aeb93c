// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.HashiCorp.RaftData;

/// <summary>A bucket of a bbolt file: a tree of pages, or a single page within a value of another bucket.</summary>
internal sealed class BoltBucket(BoltFile file, ulong root, FilePart? inline)
{
    /// <summary>Far more than any file needs: each level of a tree has at least twice as many pages as the one above it.</summary>
    private const int MostLevels = 64;

    /// <summary>One or two on each level; a damaged tree must not be walked for ever.</summary>
    private const int MostPages = 4 * MostLevels;

    private const int HeaderBytes = 16;

    public FilePart? Value(ReadOnlySpan<byte> key) => Find(key, bucket: false);

    /// <summary>Null if there is none of this name.</summary>
    public BoltBucket? Bucket(ReadOnlySpan<byte> name)
    {
        if (Find(name, bucket: true) is not { } value) return null;
        var page = value.UInt64(0);
        return page == 0 ? new(file, 0, value.From(HeaderBytes)) : new(file, page, null);
    }

    /// <summary>The first key; null for an empty bucket.</summary>
    public byte[]? First()
    {
        var page = Top;
        for (var level = 0; !page.IsLeaf; level++) page = level < MostLevels ? file.Page(page.Child(0)) : throw TooDeep();
        return page.Count == 0 ? null : page.Key(0);
    }

    /// <summary>Keys and values of one page, from the last key that is not behind this one to the first. Empty if no page has any.</summary>
    public IReadOnlyList<(byte[] Key, FilePart Value)> UpTo(ReadOnlySpan<byte> key)
    {
        var pages = 0;
        return UpTo(Top, key, ref pages);
    }

    private List<(byte[] Key, FilePart Value)> UpTo(BoltPage page, ReadOnlySpan<byte> key, ref int pages)
    {
        if (++pages > MostPages) throw new RaftDataException($"The file is damaged: no key was found in {MostPages} pages of a tree.");
        var last = page.Find(key);
        List<(byte[] Key, FilePart Value)> found = [];
        for (var i = last; i >= 0; i--)
        {
            if (page.IsLeaf) found.Add((page.Key(i), page.Value(i)));
            // A page may have lost its first keys: then the ones that are looked for are in the page before it.
            else if ((found = UpTo(file.Page(page.Child(i)), key, ref pages)).Count > 0) break;
        }

        return found;
    }

    private BoltPage Top => inline is { } part ? new(part) : file.Page(root);

    private FilePart? Find(ReadOnlySpan<byte> key, bool bucket)
    {
        var page = Top;
        for (var level = 0; !page.IsLeaf; level++)
        {
            if (level == MostLevels) throw TooDeep();
            page = file.Page(page.Child(Math.Max(0, page.Find(key))));
        }

        var i = page.Find(key);
        return i >= 0 && page.IsBucket(i) == bucket && page.Key(i).AsSpan().SequenceEqual(key) ? page.Value(i) : null;
    }

    private static RaftDataException TooDeep() => new($"The file is damaged: a tree has more than {MostLevels} levels.");
}
