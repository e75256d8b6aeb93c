// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>
/// What is to be made durable together, with one fsync. An entry replaces what the log held at its index and everything behind it.
/// </summary>
/// <param name="HardState">The term and vote when they have changed.</param>
/// <param name="ResetTo">First of all the log is emptied and starts behind this position, which a snapshot covers.</param>
/// <param name="CompactTo">Entries up to here are no longer needed: a durable snapshot covers them.</param>
internal sealed record PersistBatch(HardState? HardState, LogPosition? ResetTo, IReadOnlyList<LogEntry> Entries, long CompactTo);

/// <summary>
/// Collects what the core wants durable into batches, one at a time under way: what comes while one is written goes into the next, which is how
/// concurrent proposals share an fsync. Messages that promise something wait here for the batch that makes it true.
/// </summary>
internal sealed class Durability(HardState hardState, long lastIndex)
{
    private readonly List<LogEntry> _entries = [];
    private readonly List<(long Batch, RaftMessage Message)> _messages = [];
    private HardState? _hardState;
    private LogPosition? _resetTo;
    private long _compactTo;
    private long _next = 1;
    private (HardState? HardState, long LastIndex)? _underWay;

    /// <summary>Term and vote as a restart would find them.</summary>
    public HardState HardState { get; private set; } = hardState;

    /// <summary>Up to here the log would survive a power cut as it is now.</summary>
    public long LastIndex { get; private set; } = lastIndex;

    private bool IsEmpty => _hardState is null && _resetTo is null && _entries.Count == 0 && _compactTo == 0;

    public void Remember(HardState hardState) => _hardState = hardState;

    public void Append(LogEntry entry) => _entries.Add(entry);

    /// <summary>Entries from here on are taken back, also those that are being written just now: they no longer count when that is done.</summary>
    public void TruncateFrom(long index)
    {
        _entries.RemoveAll(e => e.Index >= index);
        LastIndex = Math.Min(LastIndex, index - 1);
        if (_underWay is { } batch) _underWay = batch with { LastIndex = Math.Min(batch.LastIndex, index - 1) };
    }

    public void ResetTo(LogPosition position)
    {
        _entries.Clear();
        _resetTo = position;
        LastIndex = position.Index;
        if (_underWay is { } batch) _underWay = batch with { LastIndex = position.Index };
    }

    /// <summary>A durable snapshot covers the log up to here.</summary>
    public void Covered(long index) => LastIndex = Math.Max(LastIndex, index);

    public void CompactTo(long index) => _compactTo = index;

    /// <summary>Sends a message once everything asked for so far is durable; at once when it is.</summary>
    public void SendWhenDurable(RaftMessage message, List<RaftMessage> outbox)
    {
        if (IsEmpty && _underWay is null) outbox.Add(message);
        else _messages.Add((IsEmpty ? _next - 1 : _next, message));
    }

    /// <summary>Promises of an earlier term interest nobody.</summary>
    public void ForgetMessages() => _messages.Clear();

    /// <summary>The next batch to write, or null when there is nothing or one is under way.</summary>
    public PersistBatch? Take()
    {
        if (_underWay is not null || IsEmpty) return null;
        var batch = new PersistBatch(_hardState, _resetTo, [.. _entries], _compactTo);
        _underWay = (_hardState, _entries.Count > 0 ? _entries[^1].Index : LastIndex);
        _next++;
        (_hardState, _resetTo, _compactTo) = (null, null, 0);
        _entries.Clear();
        return batch;
    }

    /// <summary>The batch that was taken is durable.</summary>
    public void Persisted(List<RaftMessage> outbox)
    {
        var batch = _underWay ?? throw new InvalidOperationException("No batch is under way.");
        _underWay = null;
        HardState = batch.HardState ?? HardState;
        LastIndex = Math.Max(LastIndex, batch.LastIndex);
        outbox.AddRange(_messages.Where(m => m.Batch < _next).Select(m => m.Message));
        _messages.RemoveAll(m => m.Batch < _next);
    }
}
