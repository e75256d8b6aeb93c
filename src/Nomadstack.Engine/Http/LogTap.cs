// SPDX-License-Identifier: MPL-2.0
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Http;

/// <summary>Lets others read along what the agent logs, from whatever level on they want.</summary>
internal sealed class LogTap
{
    private readonly Lock _gate = new();
    private readonly List<(LogLevel Least, ChannelWriter<string> Lines)> _readers = [];

    /// <summary>The lowest level that anybody reads.</summary>
    public LogLevel Least { get; private set; } = LogLevel.None;

    public void Write(LogLevel level, string line)
    {
        lock (_gate)
        {
            // Who reads too slowly loses lines, and nobody waits for him.
            foreach (var (least, lines) in _readers)
                if (level >= least) lines.TryWrite(line);
        }
    }

    public void Add(LogLevel least, ChannelWriter<string> lines)
    {
        lock (_gate)
        {
            _readers.Add((least, lines));
            Least = _readers.Min(r => r.Least);
        }
    }

    public void Remove(ChannelWriter<string> lines)
    {
        lock (_gate)
        {
            _readers.RemoveAll(r => r.Lines == lines);
            Least = _readers.Select(r => r.Least).DefaultIfEmpty(LogLevel.None).Min();
        }
    }
}
