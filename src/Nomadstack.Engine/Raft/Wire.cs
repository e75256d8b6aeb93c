// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.Engine.Raft;

/// <summary>Writes the little-endian fields that the log, the snapshots and the messages are made of.</summary>
internal sealed class WireWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new();

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public byte[] ToArray() => _buffer.WrittenSpan.ToArray();

    public void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    public void Bool(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.GetSpan(sizeof(int)), value);
        _buffer.Advance(sizeof(int));
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_buffer.GetSpan(sizeof(long)), value);
        _buffer.Advance(sizeof(long));
    }

    public void Bytes(ReadOnlySpan<byte> value)
    {
        Int32(value.Length);
        _buffer.Write(value);
    }

    public void Text(string value) => Bytes(Encoding.UTF8.GetBytes(value));

    public void Position(LogPosition value)
    {
        Int64(value.Index);
        Int64(value.Term);
    }

    public void Entry(LogEntry entry)
    {
        Int64(entry.Index);
        Int64(entry.Term);
        Byte((byte)entry.Kind);
        Bytes(entry.Payload.Span);
    }
}

/// <summary>Reads what <see cref="WireWriter"/> wrote. Bytes that end early or claim a length they do not have are an <see cref="InvalidDataException"/>.</summary>
internal sealed class WireReader(ReadOnlyMemory<byte> bytes)
{
    private ReadOnlyMemory<byte> _left = bytes;

    public bool AtEnd => _left.IsEmpty;

    public byte Byte() => Take(1).Span[0];

    public bool Bool() => Byte() != 0;

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)).Span);

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)).Span);

    /// <summary>A view of the bytes that were passed in, not a copy.</summary>
    public ReadOnlyMemory<byte> Bytes() => Take(Int32());

    public string Text() => Encoding.UTF8.GetString(Bytes().Span);

    public LogPosition Position() => new(Int64(), Int64());

    public LogEntry Entry() => new(Int64(), Int64(), (EntryKind)Byte(), Bytes());

    private ReadOnlyMemory<byte> Take(int count)
    {
        if (count < 0 || count > _left.Length) throw new InvalidDataException($"{count} bytes were announced, {_left.Length} are there.");
        var taken = _left[..count];
        _left = _left[count..];
        return taken;
    }
}
