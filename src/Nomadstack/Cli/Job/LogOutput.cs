// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Nomadstack.Cli.Job;

/// <summary>Where a log goes: as it is when it is the only one; line by line, with its name before each, where there are several; as an object a line with <c>--json</c>.</summary>
internal sealed class LogOutput(Surroundings here, ChosenTask of, string label, bool json, Lock oneLine)
{
    private readonly ArrayBufferWriter<byte> _begun = new();

    /// <summary>False when nobody reads any more.</summary>
    public bool Write(ReadOnlyMemory<byte> bytes)
    {
        if (here.NobodyReads()) return false;
        if (label.Length == 0 && !json)
        {
            here.RawOut.Write(bytes.Span);
            return true;
        }

        var rest = bytes.Span;
        while (rest.IndexOf((byte)'\n') is >= 0 and var end)
        {
            _begun.Write(rest[..end]);
            WriteLine();
            rest = rest[(end + 1)..];
        }

        _begun.Write(rest);
        return true;
    }

    /// <summary>A last line without an end gets one.</summary>
    public void End()
    {
        if (_begun.WrittenCount > 0) WriteLine();
    }

    private void WriteLine()
    {
        var line = _begun.WrittenSpan;
        using var whole = new MemoryStream();
        if (json)
        {
            using var writer = new Utf8JsonWriter(whole);
            writer.WriteStartObject();
            writer.WriteString("allocation", of.Allocation);
            writer.WriteString("name", of.Name);
            writer.WriteString("task", of.Task);
            writer.WriteString("line", Encoding.UTF8.GetString(line));
            writer.WriteEndObject();
        }
        else
        {
            whole.Write(Encoding.UTF8.GetBytes(label));
            whole.Write(" | "u8);
            whole.Write(line);
        }

        whole.Write("\n"u8);
        lock (oneLine) here.RawOut.Write(whole.GetBuffer().AsSpan(0, (int)whole.Length));
        _begun.ResetWrittenCount();
    }
}
