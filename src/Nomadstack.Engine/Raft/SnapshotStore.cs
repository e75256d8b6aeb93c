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
    private const string Prefix = "snapshot-", Writing = "writing.tmp", Saving = "saving.tmp", Receiving = "receiving.tmp";
    private const int Kept = 2;

    /// <summary>What is in memory at a time. A multiple of eight, as the checksum wants it.</summary>
    private const int BlockBytes = 64 * 1024;

    /// <summary>The checksum of a snapshot must not depend on where the file is, for it travels.</summary>
    private const long FileNumber = 0;
    private readonly Lock _lock = new();
    private IRaftFile? _receiving;

    /// <summary>The newest snapshot, or null. Removes what unfinished writes have left.</summary>
    /// <exception cref="RaftDamageException">The newest is damaged. The log before it is gone, so an older one would be of no use.</exception>
    public SnapshotMeta? Open()
    {
        foreach (var unfinished in files.List().Where(n => n is Writing or Saving or Receiving)) files.Delete(unfinished);
        if (Positions() is not [.., var newest]) return null;
        return Read(newest)?.Meta ?? throw new RaftDamageException($"{NameOf(newest)} is damaged. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
    }

    /// <summary>
    /// Makes a snapshot durable. No more of it than a block is in memory at a time: the state is written to a file of its own first, since length and checksum come
    /// before it in the snapshot.
    /// </summary>
    /// <param name="write">Writes the state.</param>
    /// <returns>How many bytes the state has.</returns>
    /// <exception cref="InvalidOperationException">The state is larger than a snapshot can be, which is 2 GiB.</exception>
    public long Save(SnapshotMeta meta, Action<Stream> write)
    {
        using var state = files.Create(Writing);
        using (var buffered = new BufferedStream(new RaftFileWriter(state), BlockBytes)) write(buffered);
        var writer = new WireWriter();
        writer.Position(meta.Position);
        meta.Configuration.Write(writer);
        if (state.Length > int.MaxValue - writer.Written.Length - sizeof(int)) throw new InvalidOperationException($"A state of {state.Length} bytes is larger than a snapshot can be.");
        writer.Int32((int)state.Length);
        using (var file = files.Create(Saving))
        {
            var head = writer.Written.ToArray();
            var length = head.Length + (int)state.Length;
            var crc = Frame.Begin(length, FileNumber, 0);
            foreach (var block in Blocks(head, state)) crc = Frame.Continue(crc, block.Span);
            file.Append(Frame.Header(length, Frame.End(crc)));
            foreach (var block in Blocks(head, state)) file.Append(block.Span);
            file.Sync();
        }

        files.Delete(Writing);
        Keep(Saving, meta.Position);
        return state.Length;
    }

    /// <summary>The state a snapshot holds.</summary>
    /// <exception cref="RaftDamageException">It is damaged; found out before the first byte is read.</exception>
    public Stream Load(SnapshotMeta meta)
    {
        var file = files.Open(NameOf(meta.Position));
        if (Decode(file) is { } found) return new RaftFileReader(file, found.StateAt, file.Length - found.StateAt);
        file.Dispose();
        throw new RaftDamageException($"{NameOf(meta.Position)} is damaged.");
    }

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

    private (SnapshotMeta Meta, long StateAt)? Read(LogPosition position)
    {
        using var file = files.Open(NameOf(position));
        return Decode(file);
    }

    /// <summary>What an undamaged file holds, and where in it the state begins; null when it is damaged.</summary>
    private static (SnapshotMeta Meta, long StateAt)? Decode(IRaftFile file)
    {
        // Position and membership are far less.
        var head = new byte[Math.Min(BlockBytes, file.Length)];
        _ = file.Read(0, head);
        if (Frame.ReadHeader(head) is not var (length, checksum) || length != file.Length - Frame.HeaderBytes) return null;
        var crc = Frame.Begin(length, FileNumber, 0);
        foreach (var block in Blocks(default, file, Frame.HeaderBytes)) crc = Frame.Continue(crc, block.Span);
        if (Frame.End(crc) != checksum) return null;
        var reader = new WireReader(head.AsMemory(Frame.HeaderBytes));
        var meta = new SnapshotMeta(reader.Position(), RaftConfiguration.Read(reader));
        return (meta, file.Length - reader.Int32());
    }

    /// <summary>Some bytes and then a file, from an offset on: whole blocks and a rest. A block is good until the next.</summary>
    private static IEnumerable<ReadOnlyMemory<byte>> Blocks(ReadOnlyMemory<byte> before, IRaftFile file, long offset = 0)
    {
        var block = new byte[BlockBytes];
        while (true)
        {
            var filled = Math.Min(before.Length, block.Length);
            before[..filled].CopyTo(block);
            before = before[filled..];
            var read = file.Read(offset, block.AsSpan(filled));
            offset += read;
            if (filled + read > 0) yield return block.AsMemory(0, filled + read);
            if (filled + read < block.Length) yield break;
        }
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
