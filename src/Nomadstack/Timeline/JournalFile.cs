// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;

namespace Nomadstack.Timeline;

/// <summary>Reads <c>timeline.jsonl</c> and the file before it, also while the agent writes. A line that is none, as a power cut leaves, is passed over.</summary>
internal static class JournalFile
{
    /// <summary>How a line begins: what is older is passed over without being parsed.</summary>
    private const string AtFirst = "{\"at\":\"";

    /// <summary>Twice what a file may have; one that is longer is not ours, or was made with another limit.</summary>
    private const int MostBytes = 2 * (int)Journal.DefaultLimit;

    private static ReadOnlySpan<byte> Start => "{\"at\":\""u8;

    /// <summary>Some hundred events.</summary>
    private const int TailBytes = 128 * 1024;

    /// <summary>The file that a full one becomes.</summary>
    public static string Before(string path) => path + ".1";

    /// <summary>All events in the order in which they were written; none where there is no file.</summary>
    /// <exception cref="IOException">The disk does not answer.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is another user's.</exception>
    public static IEnumerable<TimelineEvent> Events(string path) => Lines(path, null).Select(l => l.Event);

    /// <summary>The last events, read from the end alone: a server that is to start does not wait for months of history.</summary>
    /// <inheritdoc cref="Events"/>
    public static IReadOnlyList<TimelineEvent> Tail(string path)
    {
        foreach (var file in new[] { path, Before(path) })
        {
            List<TimelineEvent> events = [.. LinesOf(End(file, TailBytes)).Select(Parse).OfType<TimelineEvent>()];
            if (events.Count > 0) return events;
        }

        return [];
    }

    /// <summary>The newest events that were asked for, within the limits of an answer.</summary>
    /// <inheritdoc cref="Events"/>
    public static TimelinePart Read(string path, TimelineQuery query)
    {
        var kept = new Queue<(TimelineEvent Event, int Bytes)>();
        var (bytes, cut) = (0, false);
        foreach (var line in Lines(path, query.Since))
        {
            if (!query.Matches(line.Event)) continue;
            kept.Enqueue(line);
            bytes += line.Bytes;
            while (kept.Count > Math.Clamp(query.Most, 1, TimelineQuery.MostEvents) || bytes > TimelineQuery.MostBytes)
            {
                bytes -= kept.Dequeue().Bytes;
                cut = true;
            }
        }

        return new([.. kept.Select(k => k.Event)], cut);
    }

    /// <summary>Whether the file ends in the middle of a line.</summary>
    /// <inheritdoc cref="Events"/>
    public static bool IsTorn(string path)
    {
        if (new FileInfo(path) is not { Exists: true, Length: > 0 }) return false;
        using var file = Open(path);
        file.Seek(-1, SeekOrigin.End);
        return file.ReadByte() != '\n';
    }

    private static IEnumerable<(TimelineEvent Event, int Bytes)> Lines(string path, DateTimeOffset? since)
    {
        var from = since is { } at ? AtFirst + Milliseconds.Show(at) : "";
        foreach (var file in new[] { Before(path), path })
        {
            foreach (var line in LinesOf(Since(file, from)))
            {
                if (!IsOlder(line, from) && Parse(line) is { } e) yield return (e, line.Length);
            }
        }
    }

    /// <summary>The end of a file that begins before a time: who asks each second for what is new does not read it all.</summary>
    private static byte[] Since(string path, string from)
    {
        for (var most = TailBytes; from.Length > 0 && most < MostBytes; most *= 8)
        {
            var end = End(path, most);
            if (end.Length < most || LinesOf(end).Skip(1).FirstOrDefault(l => l.Span.StartsWith(Start)) is { Length: > 0 } first && IsOlder(first, from)) return end;
        }

        return End(path, MostBytes);
    }

    private static bool IsOlder(ReadOnlyMemory<byte> line, string from) =>
        from.Length > 0 && line.Length > from.Length && line.Span.StartsWith(Start) && line.Span[..from.Length].SequenceCompareTo(Encoding.ASCII.GetBytes(from)) < 0;

    private static IEnumerable<ReadOnlyMemory<byte>> LinesOf(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var end = bytes.Span.IndexOf((byte)'\n');
            yield return end < 0 ? bytes : bytes[..end];
            bytes = end < 0 ? default : bytes[(end + 1)..];
        }
    }

    private static TimelineEvent? Parse(ReadOnlyMemory<byte> line)
    {
        if (line.Length == 0 || line.Span[0] != '{') return null;
        try
        {
            return JsonSerializer.Deserialize(line.Span, TimelineJson.Default.TimelineEvent) is { Kind: not null, Text: not null, Node: not null, Boot: not null } e ? e : null;
        }
        catch (JsonException)
        {
            // A torn line: what it was is lost, and the next one counts.
            return null;
        }
    }

    /// <summary>The last bytes of a file; none where there is no file.</summary>
    private static byte[] End(string path, int most)
    {
        if (!File.Exists(path)) return [];
        using var file = Open(path);
        var bytes = new byte[Math.Min(file.Length, most)];
        file.Seek(-bytes.Length, SeekOrigin.End);
        // Less where it became the file before meanwhile.
        return bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }

    private static FileStream Open(string path) => new(path, new FileStreamOptions { BufferSize = 0, Share = FileShare.ReadWrite | FileShare.Delete });
}
