// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>The memberships the log holds, so that the one before is in force again when an entry is taken back.</summary>
internal sealed class ConfigurationHistory
{
    private readonly List<(long Index, RaftConfiguration Configuration)> _history = [];

    /// <summary>The one in force: the latest in the log, committed or not.</summary>
    public RaftConfiguration Latest => _history[^1].Configuration;

    public long LatestIndex => _history[^1].Index;

    /// <summary>The one before the latest. At most one is not committed, so this one is.</summary>
    public RaftConfiguration Previous => _history[^Math.Min(2, _history.Count)].Configuration;

    public ConfigurationHistory(long index, RaftConfiguration configuration, IEnumerable<LogEntry> entries)
    {
        _history.Add((index, configuration));
        foreach (var entry in entries) Append(entry);
    }

    /// <summary>The one in force at an index.</summary>
    public RaftConfiguration At(long index) => _history.FindLast(h => h.Index <= index).Configuration ?? _history[0].Configuration;

    public void Append(LogEntry entry)
    {
        if (entry.Kind == EntryKind.Configuration && entry.Index > LatestIndex) _history.Add((entry.Index, RaftConfiguration.Decode(entry.Payload)));
    }

    public void TruncateFrom(long index) => _history.RemoveAll(h => h.Index >= index);

    public void CompactTo(long index)
    {
        while (_history.Count > 1 && _history[1].Index <= index) _history.RemoveAt(0);
    }

    public void ResetTo(SnapshotMeta snapshot)
    {
        _history.Clear();
        _history.Add((snapshot.Position.Index, snapshot.Configuration));
    }
}
