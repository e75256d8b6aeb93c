// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// How far the log was durable when others were told so, in a file of its own. A log that ends before it was cut off or damaged; without it, that looks like the write that
/// a power cut interrupted. The file is not synced: after a power cut it may say less than was promised, and never more.
/// </summary>
internal sealed class Acknowledgements(IRaftFiles files) : IDisposable
{
    public const string FileName = "acknowledged";
    private const int RecordBytes = 16;

    /// <summary>Distinguishes its frames from those of any segment.</summary>
    private const long FileNumber = -1;

    private IRaftFile? _file;

    /// <summary>The segment and the bytes of it that were durable; null when nothing says so.</summary>
    public (long Segment, long Bytes)? Read()
    {
        if (!files.List().Contains(FileName)) return null;
        using var file = files.Open(FileName);
        var content = new byte[file.Length];
        _ = file.Read(0, content);
        (long, long)? last = null;
        for (var offset = 0; Frame.TryRead(content, FileNumber, offset) is { Length: RecordBytes } record; offset += Frame.HeaderBytes + RecordBytes)
            last = (BinaryPrimitives.ReadInt64LittleEndian(record.Span), BinaryPrimitives.ReadInt64LittleEndian(record.Span[8..]));
        return last;
    }

    public void Write(long segment, long bytes)
    {
        _file ??= files.Create(FileName);
        Span<byte> record = stackalloc byte[RecordBytes];
        BinaryPrimitives.WriteInt64LittleEndian(record, segment);
        BinaryPrimitives.WriteInt64LittleEndian(record[8..], bytes);
        _file.Append(Frame.Wrap(record, FileNumber, _file.Length));
    }

    /// <summary>With the next segment the file begins anew, so that it does not grow for ever.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }
}
