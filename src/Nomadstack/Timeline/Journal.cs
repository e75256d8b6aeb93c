// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;

namespace Nomadstack.Timeline;

/// <summary>
/// Writes what happens on this node into <c>timeline.jsonl</c>. Never throws and never waits for the disk: what is told here must not hurt what is done.
/// After a power cut the last seconds may be missing.
/// </summary>
/// <remarks>One process writes: the owner of the data folder's lock. Any number of its threads may.</remarks>
/// <param name="path">The file; empty to write nowhere.</param>
/// <param name="boot">The id of the machine's boot.</param>
/// <param name="say">Takes what went wrong, once until it works again.</param>
/// <param name="limit">Bytes of one file. With the one before it, the timeline takes twice as much.</param>
internal sealed class Journal(string path, string node, string boot, TimeProvider time, Action<string> say, long limit = Journal.DefaultLimit)
{
    /// <summary>About 16,000 events of 250 bytes: months of a quiet node.</summary>
    public const long DefaultLimit = 4 * 1024 * 1024;

    /// <summary>A sentence and a field are no longer than that; foreign words in them may be.</summary>
    private const int LongestText = 600, LongestField = 300;

    private readonly Lock _lock = new();
    private long _number, _unwritten;
    private bool _begun, _torn, _dirty;

    public static Journal Nowhere { get; } = new("", "", "", TimeProvider.System, _ => { });

    /// <summary>The newest event that was there before this journal was opened; null for none.</summary>
    public TimelineEvent? Last { get; private set; }

    /// <summary>The newest event of the agent's own life that was there before: whether it said that it stopped.</summary>
    public TimelineEvent? LastOfAgent { get; private set; }

    public void Tell(string kind, string text, params ReadOnlySpan<(string Name, string Value)> fields)
    {
        if (path.Length == 0) return;
        Dictionary<string, string> named = [];
        foreach (var (name, value) in fields) named[name] = Cut(value, LongestField);
        lock (_lock)
        {
            try
            {
                Begin();
                var lines = new StringBuilder(_torn ? "\n" : "");
                var next = _number;
                if (_unwritten > 0) Add(EventKinds.Gap, $"{_unwritten} events could not be written.", new Dictionary<string, string> { [EventFields.Lost] = $"{_unwritten}" });
                Add(kind, Cut(text, LongestText), named);
                Append(Encoding.UTF8.GetBytes(lines.ToString()));
                (_number, _unwritten, _torn, _dirty) = (next, 0, false, true);

                void Add(string kind, string text, IReadOnlyDictionary<string, string> fields)
                {
                    var written = new TimelineEvent(time.GetUtcNow(), boot, ++next, node, kind, text) { Fields = fields };
                    lines.Append(JsonSerializer.Serialize(written, TimelineJson.Default.TimelineEvent)).Append('\n');
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Part of a line may be there: the next one begins on its own.
                _torn = true;
                if (++_unwritten == 1) say(TimelineProblems.NotWritten(path, e.Message).ToString());
            }
        }
    }

    /// <summary>Makes what was told so far survive a power cut. To be called now and then.</summary>
    public void Sync()
    {
        lock (_lock)
        {
            if (!_dirty) return;
            try
            {
                using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
                RandomAccess.FlushToDisk(file);
                _dirty = false;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (_unwritten == 0) say(TimelineProblems.NotWritten(path, e.Message).ToString());
                _dirty = false;
            }
        }
    }

    /// <summary>Reads what is there, so that numbers go on where they ended. Called by the first event; earlier where <see cref="Last"/> is wanted.</summary>
    public void Open()
    {
        lock (_lock)
        {
            try
            {
                Begin();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The first event says it.
            }
        }
    }

    private void Begin()
    {
        if (_begun || path.Length == 0) return;
        foreach (var e in JournalFile.Tail(path))
        {
            _number = Math.Max(_number, e.Number);
            Last = e;
            if (e.Kind is EventKinds.AgentStarted or EventKinds.AgentStopped) LastOfAgent = e;
        }

        _torn = JournalFile.IsTorn(path);
        _begun = true;
    }

    private void Append(byte[] bytes)
    {
        if (new FileInfo(path) is { Exists: true } file && file.Length + bytes.Length > limit) File.Move(path, JournalFile.Before(path), overwrite: true);
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(bytes);
    }

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)] + "...";
}
