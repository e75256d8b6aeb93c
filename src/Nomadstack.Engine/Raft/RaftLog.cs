// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Engine.Raft;

/// <summary>The log's files say something that a crash cannot have left behind. Nothing was changed.</summary>
internal sealed class RaftDamageException(string message) : Exception(message);

/// <summary>
/// The durable log: segments that are only ever appended to. A batch is one frame and one fsync; an entry replaces what stood at its index and behind it,
/// so nothing is rewritten. Each segment begins with the hard state, which lets the segments before it be deleted.
/// </summary>
/// <remarks>
/// A frame that is not whole, with no whole one behind it, is what a power cut leaves of a batch that nobody was told of: it is cut off.
/// With a whole frame behind it, it had been acknowledged, and so it had when <see cref="Acknowledgements"/> say it: then the log is refused.
/// One caller at a time. After a failed write or fsync nobody knows what the disk holds: the log refuses to go on until it is opened anew.
/// </remarks>
internal sealed class RaftLog : IDisposable
{
    private const byte Version = 1;
    private const string Prefix = "log-";

    private enum Record : byte
    {
        Segment = 1,
        HardState = 2,
        Entry = 3,
        Reset = 4,
    }

    private readonly IRaftFiles _files;
    private readonly long _segmentBytes;
    private readonly Acknowledgements _acknowledged;

    /// <summary>Older segments, and the highest index each of them holds.</summary>
    private readonly List<(long Number, long Highest)> _older = [];
    private IRaftFile? _file;
    private long _number;
    private long _highest;
    private bool _broken;

    private RaftLog(IRaftFiles files, long segmentBytes) => (_files, _segmentBytes, _acknowledged) = (files, segmentBytes, new(files));

    public HardState HardState { get; private set; } = new(0, null);

    /// <summary>Bytes of an unfinished write that <see cref="Open"/> cut off.</summary>
    public long TornBytes { get; private set; }

    /// <summary>Reads the log. What it finds is durable when it returns, also what a crashed process had written and not synced.</summary>
    /// <param name="entries">The entries, without gaps.</param>
    /// <exception cref="RaftDamageException">Something is missing or damaged that had been acknowledged.</exception>
    public static RaftLog Open(IRaftFiles files, long segmentBytes, out List<LogEntry> entries)
    {
        var log = new RaftLog(files, segmentBytes);
        entries = [];
        var numbers = files.List().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Select(NumberOf).Order().ToList();
        var promised = log._acknowledged.Read() ?? default;
        if (numbers.LastOrDefault() < promised.Segment) throw Lost($"{NameOf(promised.Segment)} is missing", $"{promised.Bytes} bytes of it");
        foreach (var number in numbers) log.Replay(number, isLast: number == numbers[^1], number == promised.Segment ? promised.Bytes : 0, entries);
        return log;
    }

    /// <summary>Makes a batch durable. When this throws, it may or may not be.</summary>
    public void Append(PersistBatch batch)
    {
        if (_broken) throw new IOException("An earlier write to the raft log failed. Restart the server.");
        _broken = true;
        var writer = new WireWriter();
        if (batch.HardState is { } hardState) Write(writer, hardState);
        if (batch.ResetTo is { } position)
        {
            writer.Byte((byte)Record.Reset);
            writer.Position(position);
        }

        foreach (var entry in batch.Entries)
        {
            writer.Byte((byte)Record.Entry);
            writer.Entry(entry);
        }

        if (writer.Written.Length > 0)
        {
            if (_file is null || _file.Length >= _segmentBytes) Roll();
            _file!.Append(Frame.Wrap(writer.Written, _number, _file.Length));
            _file.Sync();
            _acknowledged.Write(_number, _file.Length);
            HardState = batch.HardState ?? HardState;
            if (batch.Entries.Count > 0) _highest = Math.Max(_highest, batch.Entries[^1].Index);
        }

        if (batch.CompactTo > 0) DeleteUpTo(batch.CompactTo);
        _broken = false;
    }

    public void Dispose()
    {
        _file?.Dispose();
        _acknowledged.Dispose();
    }

    private static string NameOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number:d10}");

    private static long NumberOf(string name) =>
        long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new RaftDamageException($"{name} is not a segment of the raft log. Move it out of the folder.");

    private static void Write(WireWriter writer, HardState hardState)
    {
        writer.Byte((byte)Record.HardState);
        writer.Int64(hardState.Term);
        writer.Text(hardState.VotedFor ?? "");
    }

    /// <summary>Begins a segment. It is durable, name and all, before anything else is written to it.</summary>
    private void Roll()
    {
        if (_file is not null) _older.Add((_number, _highest));
        _file?.Dispose();
        _acknowledged.Dispose();
        _file = _files.Create(NameOf(++_number));
        _highest = 0;
        var writer = new WireWriter();
        writer.Byte((byte)Record.Segment);
        writer.Byte(Version);
        Write(writer, HardState);
        _file.Append(Frame.Wrap(writer.Written, _number, 0));
        _file.Sync();
        _files.SyncFolder();
    }

    /// <summary>Deletes whole segments, oldest first, so that what is left has no gap.</summary>
    private void DeleteUpTo(long index)
    {
        while (_older.Count > 0 && _older[0].Highest <= index)
        {
            _files.Delete(NameOf(_older[0].Number));
            _files.SyncFolder();
            _older.RemoveAt(0);
        }
    }

    private static RaftDamageException Lost(string what, string promised) => new(
        $"{what}, and {promised} had been acknowledged: what this server promised to keep is gone. Restore the folder from a backup, "
        + "or, where other servers have the data, remove this server from the cluster and add it again with an empty folder. "
        + $"To go on with what is left, and lose the rest for good, delete the file \"{Acknowledgements.FileName}\" in the folder.");

    /// <param name="promised">So many bytes of it were acknowledged, if not more.</param>
    private void Replay(long number, bool isLast, long promised, List<LogEntry> entries)
    {
        var name = NameOf(number);
        if (_number != 0 && number != _number + 1) throw new RaftDamageException($"{NameOf(_number + 1)} is missing, although {name} and the segments before it exist. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
        var file = _files.Open(name);
        var content = new byte[file.Length];
        _ = file.Read(0, content);
        var offset = 0;
        var highest = 0L;
        while (Frame.TryRead(content, number, offset) is { } frame)
        {
            highest = Math.Max(highest, Replay(frame, name, offset, entries));
            offset += Frame.HeaderBytes + frame.Length;
        }

        if (offset < promised) throw Lost($"{name} {(offset < content.Length ? "is damaged at" : "ends at")} byte {offset}", $"{promised} bytes");
        if (offset < content.Length || offset == 0)
        {
            if (!isLast || Frame.Find(content, number, offset) is not null)
                throw new RaftDamageException($"{name} is damaged at byte {offset} of {content.Length}, before data that was already acknowledged. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
            TornBytes = content.Length - offset;
            file.Truncate(offset);
        }

        if (offset == 0)
        {
            // Power went while the segment was begun. Its name is used again.
            file.Dispose();
            _files.Delete(name);
            _files.SyncFolder();
            return;
        }

        if (isLast)
        {
            file.Sync();
            _files.SyncFolder();
        }

        if (_file is not null) _older.Add((_number, _highest));
        _file?.Dispose();
        (_file, _number, _highest) = (file, number, highest);
    }

    /// <returns>The highest index in the frame.</returns>
    private long Replay(ReadOnlyMemory<byte> frame, string name, int offset, List<LogEntry> entries)
    {
        var highest = 0L;
        var reader = new WireReader(frame);
        while (!reader.AtEnd)
        {
            switch ((Record)reader.Byte())
            {
                case Record.Segment:
                    if (reader.Byte() is not Version and var version) throw new RaftDamageException($"{name} has layout {version}; this version reads layout {Version}. Run the newer version.");
                    break;
                case Record.HardState:
                    HardState = new(reader.Int64(), reader.Text() is { Length: > 0 } votedFor ? votedFor : null);
                    break;
                case Record.Reset:
                    _ = reader.Position();
                    entries.Clear();
                    break;
                case Record.Entry:
                    var entry = reader.Entry();
                    if (entries.Count > 0 && entry.Index > entries[^1].Index + 1)
                        throw new RaftDamageException($"{name} has entry {entry.Index} at byte {offset}, but the log before it ends with entry {entries[^1].Index}. Restore the folder from a backup, or remove this server from the cluster and add it again with an empty folder.");
                    var kept = entries.Count > 0 ? (int)Math.Max(0, entry.Index - entries[0].Index) : 0;
                    entries.RemoveRange(kept, entries.Count - kept);
                    entries.Add(entry);
                    highest = Math.Max(highest, entry.Index);
                    break;
                case var kind:
                    throw new RaftDamageException($"{name} has a record of the unknown kind {kind} at byte {offset}. Run the newer version.");
            }
        }

        return highest;
    }
}
