// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// The snapshot files, one frame each: written under another name, synced, renamed, the folder synced. A file under its own name is therefore whole,
/// and one that is not has been damaged. The one before the newest stays, for a follower that is just being sent it.
/// </summary>
/// <remarks>May be called from two threads: the one that saves our own and the one that sends and receives.</remarks>
internal sealed class SnapshotStore(IRaftFiles files)
{
    private const string Prefix = "snapshot-", Saving = "saving.tmp", Receiving = "receiving.tmp";
    private const int Kept = 2;

    /// <summary>The checksum of a snapshot must not depend on where the file is, for it travels.</summary>
    private const long FileNumber = 0;
    private readonly Lock _lock = new();
    private IRaftFile? _receiving;

    /// <summary>The newest snapshot, or null. Removes what unfinished writes have left.</summary>
    /// <exception cref="RaftDamageException">The newest is damaged. The log before it is gone, so an older one would be of no use.</exception>
    public SnapshotMeta? Open()
    {
        foreach (var unfinished in files.List().Where(n => n is Saving or Receiving)) files.Delete(unfinished);
        if (Positions() is not [.., var newest]) return null;
        return Read(newest)?.Meta ?? throw new RaftDamageException($"{NameOf(newest)} is damaged. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
    }

    /// <summary>Makes a snapshot durable.</summary>
    public void Save(SnapshotMeta meta, ReadOnlyMemory<byte> state)
    {
        var writer = new WireWriter();
        writer.Position(meta.Position);
        meta.Configuration.Write(writer);
        writer.Bytes(state.Span);
        using (var file = files.Create(Saving))
        {
            file.Append(Frame.Wrap(writer.Written, FileNumber, 0));
            file.Sync();
        }

        Keep(Saving, meta.Position);
    }

    /// <summary>The state a snapshot holds.</summary>
    public ReadOnlyMemory<byte> Load(SnapshotMeta meta) =>
        Read(meta.Position)?.State ?? throw new RaftDamageException($"{NameOf(meta.Position)} is damaged.");

    /// <summary>Fills a piece to be sent. Null when the file is gone: a newer one has taken its place.</summary>
    public SnapshotRequest? Fill(SnapshotRequest piece, int maxBytes)
    {
        lock (_lock)
        {
            if (!Positions().Contains(piece.Snapshot)) return null;
            using var file = files.Open(NameOf(piece.Snapshot));
            var bytes = new byte[Math.Clamp(file.Length - piece.Offset, 0, maxBytes)];
            _ = file.Read(piece.Offset, bytes);
            return piece with { Bytes = bytes, Last = piece.Offset + bytes.Length >= file.Length };
        }
    }

    /// <summary>Stores a piece that was received; they come in order, and offset 0 starts over.</summary>
    /// <returns>With the last piece the snapshot, which is durable then, or null when it arrived damaged.</returns>
    public SnapshotMeta? Receive(SnapshotRequest piece)
    {
        if (piece.Offset == 0)
        {
            _receiving?.Dispose();
            _receiving = files.Create(Receiving);
        }

        var file = _receiving ?? throw new InvalidOperationException("A snapshot begins at its start.");
        file.Append(piece.Bytes.Span);
        if (!piece.Last) return null;
        var read = Decode(file);
        if (read?.Meta.Position == piece.Snapshot) file.Sync();
        file.Dispose();
        _receiving = null;
        if (read?.Meta.Position != piece.Snapshot) return null;
        Keep(Receiving, piece.Snapshot);
        return read.Value.Meta;
    }

    private void Keep(string temp, LogPosition position)
    {
        lock (_lock)
        {
            files.Rename(temp, NameOf(position));
            files.SyncFolder();
            foreach (var old in Positions().SkipLast(Kept)) files.Delete(NameOf(old));
        }
    }

    private (SnapshotMeta Meta, ReadOnlyMemory<byte> State)? Read(LogPosition position)
    {
        using var file = files.Open(NameOf(position));
        return Decode(file);
    }

    private static (SnapshotMeta Meta, ReadOnlyMemory<byte> State)? Decode(IRaftFile file)
    {
        var content = new byte[file.Length];
        _ = file.Read(0, content);
        if (Frame.TryRead(content, FileNumber, 0) is not { } frame || Frame.HeaderBytes + frame.Length != content.Length) return null;
        var reader = new WireReader(frame);
        return (new(reader.Position(), RaftConfiguration.Read(reader)), reader.Bytes());
    }

    /// <summary>Positions of all snapshots, the newest last. The index alone decides: what a snapshot holds is committed.</summary>
    private List<LogPosition> Positions() =>
        [.. files.List().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Select(PositionOf).OrderBy(p => p.Index).ThenBy(p => p.Term)];

    private static string NameOf(LogPosition p) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{p.Index:d19}-{p.Term:d19}");

    private static LogPosition PositionOf(string name) =>
        name[Prefix.Length..].Split('-') is [var index, var term]
        && long.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var i) && long.TryParse(term, NumberStyles.None, CultureInfo.InvariantCulture, out var t)
            ? new(i, t)
            : throw new RaftDamageException($"{name} is not a snapshot. Move it out of the folder.");
}
