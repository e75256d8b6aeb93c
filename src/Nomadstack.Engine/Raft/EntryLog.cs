// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>The entries behind <see cref="Base"/>, in memory and without gaps. Knows nothing of what is durable or committed.</summary>
internal sealed class EntryLog(LogPosition start, IEnumerable<LogEntry> entries)
{
    private readonly List<LogEntry> _entries = [.. entries];

    /// <summary>The last position that was compacted away; its term is still known.</summary>
    public LogPosition Base { get; private set; } = start;

    public LogPosition Last => _entries.Count > 0 ? new(_entries[^1].Index, _entries[^1].Term) : Base;

    /// <summary>Payload bytes held. A rough measure of when to compact.</summary>
    public long Bytes { get; private set; } = entries.Sum(e => (long)e.Payload.Length);

    public LogEntry this[long index] => _entries[(int)(index - Base.Index - 1)];

    /// <summary>The term at an index from the base to the end; null outside.</summary>
    public long? TermAt(long index) =>
        index == Base.Index ? Base.Term
        : index > Base.Index && index <= Last.Index ? this[index].Term
        : null;

    public bool Contains(LogPosition position) => TermAt(position.Index) == position.Term;

    /// <summary>From <paramref name="first"/> on as many as fit, but at least one if there is one.</summary>
    public IReadOnlyList<LogEntry> Take(long first, int maxBytes)
    {
        var start = (int)(first - Base.Index - 1);
        var count = 0;
        for (var bytes = 0L; start + count < _entries.Count; count++)
        {
            bytes += _entries[start + count].Payload.Length;
            if (count > 0 && bytes > maxBytes) break;
        }

        return _entries.GetRange(start, count);
    }

    public IReadOnlyList<LogEntry> Between(long first, long last) => _entries.GetRange((int)(first - Base.Index - 1), (int)(last - first + 1));

    /// <summary>The index behind which at most so many entries and bytes are left.</summary>
    public long BeforeTail(int maxEntries, long maxBytes)
    {
        var index = Last.Index;
        for (var bytes = 0L; index > Base.Index && Last.Index - index < maxEntries; index--)
        {
            bytes += this[index].Payload.Length;
            if (bytes > maxBytes) break;
        }

        return index;
    }

    /// <summary>The first index at or before <paramref name="index"/> behind which only its term is found.</summary>
    public long FirstOfTerm(long index)
    {
        var term = TermAt(index);
        while (index - 1 > Base.Index && TermAt(index - 1) == term) index--;
        return index;
    }

    /// <summary>The last index of a term that is not above it.</summary>
    public long LastUpToTerm(long term)
    {
        var index = Last.Index;
        while (index > Base.Index && this[index].Term > term) index--;
        return index;
    }

    public void Append(LogEntry entry)
    {
        if (entry.Index != Last.Index + 1) throw new InvalidOperationException($"Entry {entry.Index} does not follow {Last.Index}.");
        _entries.Add(entry);
        Bytes += entry.Payload.Length;
    }

    public void TruncateFrom(long index) => RemoveRange((int)(index - Base.Index - 1), (int)(Last.Index - index + 1));

    /// <summary>Forgets the entries up to and including <paramref name="index"/>.</summary>
    public void CompactTo(long index)
    {
        if (index <= Base.Index) return;
        var position = new LogPosition(index, this[index].Term);
        RemoveRange(0, (int)(index - Base.Index));
        Base = position;
    }

    /// <summary>Forgets everything: the log starts behind a snapshot it did not lead to.</summary>
    public void ResetTo(LogPosition position)
    {
        RemoveRange(0, _entries.Count);
        Base = position;
    }

    private void RemoveRange(int start, int count)
    {
        for (var i = start; i < start + count; i++) Bytes -= _entries[i].Payload.Length;
        _entries.RemoveRange(start, count);
    }
}
