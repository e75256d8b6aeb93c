// SPDX-License-Identifier: MPL-2.0
using System.Buffers;

namespace Nomadstack.Nomad;

/// <summary>Takes bytes and keeps the last lines of them.</summary>
internal sealed class LastLines(int count)
{
    private readonly ArrayBufferWriter<byte> _kept = new();
    private int _nextCut = 64 * 1024;

    /// <summary>How many bytes came.</summary>
    public long Seen { get; private set; }

    /// <summary>Whether more came than the lines that count: what lies before them was seen too, so the first of them is whole.</summary>
    public bool Full => Seen > _kept.WrittenCount || Start() > 0;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        Seen += bytes.Length;
        _kept.Write(bytes);
        if (_kept.WrittenCount < _nextCut) return;
        Cut();
        _nextCut = Math.Max(_nextCut, 2 * _kept.WrittenCount);
    }

    public ReadOnlyMemory<byte> Take()
    {
        Cut();
        return _kept.WrittenMemory;
    }

    private void Cut()
    {
        var start = Start();
        if (start == 0) return;
        var rest = _kept.WrittenSpan[start..].ToArray();
        _kept.ResetWrittenCount();
        _kept.Write(rest);
    }

    /// <summary>Where the last lines begin. The end of a line belongs to it.</summary>
    private int Start()
    {
        var bytes = _kept.WrittenSpan;
        var end = bytes.EndsWith("\n"u8) ? bytes.Length - 1 : bytes.Length;
        for (var lines = 0; ; lines++)
        {
            var newline = bytes[..end].LastIndexOf((byte)'\n');
            if (newline < 0) return 0;
            if (lines + 1 == count) return newline + 1;
            end = newline;
        }
    }
}
