// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>The log and the snapshots of one server, opened together and brought in line with each other.</summary>
internal sealed class RaftStorage : IDisposable
{
    private RaftStorage(RaftLog log, SnapshotStore snapshots) => (Log, Snapshots) = (log, snapshots);

    public RaftLog Log { get; }

    public SnapshotStore Snapshots { get; }

    /// <exception cref="RaftDamageException">Something is missing or damaged that had been acknowledged.</exception>
    public static RaftStorage Open(IRaftFiles files, RaftOptions options, out RecoveredState recovered)
    {
        var snapshots = new SnapshotStore(files);
        var snapshot = snapshots.Open();
        var log = RaftLog.Open(files, options.SegmentBytes, out var entries);
        recovered = Reconcile(log, snapshot, entries);
        return new(log, snapshots);
    }

    /// <summary>
    /// For a blank server: the membership the cluster begins with, as its first entry. Every server of that membership that is told so begins with the same entry.
    /// </summary>
    public static void Bootstrap(IRaftFiles files, RaftConfiguration configuration, RaftOptions options)
    {
        using var storage = Open(files, options, out var recovered);
        if (!recovered.IsBlank) throw new InvalidOperationException("This server belongs to a raft already.");
        storage.Log.Append(new(new(1, null), null, [new(1, 1, EntryKind.Configuration, configuration.Encode())], 0));
    }

    /// <summary>
    /// For a cluster that has lost its majority for good, on each server that is left, while none of them runs: puts a membership in the place of every one
    /// the log and the snapshot hold. The entries stay, so what was committed stays. May be repeated.
    /// </summary>
    public static void ForceConfiguration(IRaftFiles files, RaftConfiguration configuration, RaftOptions options)
    {
        using var storage = Open(files, options, out var recovered);
        var (snapshot, entries) = (recovered.Snapshot, recovered.Entries);
        var first = entries.TakeWhile(e => e.Kind != EntryKind.Configuration).Count();
        if (snapshot is null && first == entries.Count) throw new InvalidOperationException("This server belongs to no raft: there is nothing to recover.");
        if (snapshot is not null)
        {
            using var state = storage.Snapshots.Load(snapshot);
            storage.Snapshots.Save(snapshot with { Configuration = configuration }, state.CopyTo);
        }

        var payload = configuration.Encode();
        var rewritten = entries.Skip(first).Select(e => e.Kind == EntryKind.Configuration ? e with { Payload = payload } : e).ToList();
        storage.Log.Append(new(null, null, rewritten, 0));
    }

    public void Dispose() => Log.Dispose();

    /// <summary>
    /// Power may have gone between a snapshot and what follows from it for the log. A log that leads to the snapshot keeps its end;
    /// one that ends before, or holds another entry there, was overtaken by a snapshot of the leader's and starts behind it.
    /// </summary>
    private static RecoveredState Reconcile(RaftLog log, SnapshotMeta? snapshot, List<LogEntry> entries)
    {
        var at = snapshot?.Position ?? default;
        if (entries.Count == 0 || entries[0].Index == at.Index + 1) return new(log.HardState, snapshot, at, [.. entries]);
        if (entries[0].Index > at.Index + 1)
            throw new RaftDamageException($"The log begins with entry {entries[0].Index}, and {(snapshot is null ? "there is no snapshot" : $"the snapshot ends with entry {at.Index}")}. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
        if (snapshot is not null && entries.Any(e => e.Index == at.Index && e.Term == at.Term))
            return new(log.HardState, snapshot, new(entries[0].Index, entries[0].Term), [.. entries.Skip(1)]);
        log.Append(new(null, at, [], 0));
        return new(log.HardState, snapshot, at, []);
    }
}
