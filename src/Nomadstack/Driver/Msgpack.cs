// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.Driver;

/// <summary>
/// Reads the msgpack into which Nomad turns a task's configuration: maps, strings, nil, booleans and whole numbers.
/// Anything else, and incomplete input, is a <see cref="FormatException"/> that names the byte.
/// </summary>
internal ref struct Msgpack(ReadOnlySpan<byte> bytes)
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly bool AtEnd => Position == _bytes.Length;

    public bool TryNil()
    {
        if (AtEnd || _bytes[Position] != 0xc0) return false;
        Position++;
        return true;
    }

    /// <summary>The number of entries that follow, each a key and a value.</summary>
    public int MapHeader()
    {
        var at = Position;
        var tag = Byte();
        return tag switch
        {
            >= 0x80 and <= 0x8f => tag & 0x0f,
            0xde => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xdf => Length32(at),
            _ => throw Unexpected("a map", tag, at),
        };
    }

    public string String()
    {
        var at = Position;
        var tag = Byte();
        var length = tag switch
        {
            >= 0xa0 and <= 0xbf => tag & 0x1f,
            0xd9 => Byte(),
            0xda => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xdb => Length32(at),
            _ => throw Unexpected("a string", tag, at),
        };
        try
        {
            return s_strict.GetString(Take(length));
        }
        catch (DecoderFallbackException)
        {
            throw new FormatException($"byte {at}: the string is not UTF-8");
        }
    }

    public bool Boolean()
    {
        var at = Position;
        var tag = Byte();
        return tag is 0xc2 or 0xc3 ? tag == 0xc3 : throw Unexpected("true or false", tag, at);
    }

    public long Integer()
    {
        var at = Position;
        var tag = Byte();
        return tag switch
        {
            <= 0x7f => tag,
            >= 0xe0 => (sbyte)tag,
            0xcc => Byte(),
            0xcd => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xce => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            0xcf => BinaryPrimitives.ReadUInt64BigEndian(Take(8)) is <= long.MaxValue and var big ? (long)big : throw new FormatException($"byte {at}: the number is too large"),
            0xd0 => (sbyte)Byte(),
            0xd1 => BinaryPrimitives.ReadInt16BigEndian(Take(2)),
            0xd2 => BinaryPrimitives.ReadInt32BigEndian(Take(4)),
            0xd3 => BinaryPrimitives.ReadInt64BigEndian(Take(8)),
            _ => throw Unexpected("a whole number", tag, at),
        };
    }

    private int Length32(int at) =>
        BinaryPrimitives.ReadUInt32BigEndian(Take(4)) is <= int.MaxValue and var length ? (int)length : throw new FormatException($"byte {at}: the length is impossible");

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - Position) throw new FormatException($"byte {Position}: {count} more bytes expected, {_bytes.Length - Position} left");
        var taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    private static FormatException Unexpected(string wanted, byte tag, int at) => new($"byte {at}: {wanted} expected, found {Name(tag)}");

    private static string Name(byte tag) => tag switch
    {
        <= 0x7f or >= 0xe0 or (>= 0xcc and <= 0xd3) => "a whole number",
        <= 0x8f or 0xde or 0xdf => "a map",
        <= 0x9f or 0xdc or 0xdd => "a list",
        <= 0xbf or 0xd9 or 0xda or 0xdb => "a string",
        0xc0 => "nil",
        0xc2 or 0xc3 => "true or false",
        0xca or 0xcb => "a fraction",
        _ => $"0x{tag:x2}",
    };
}
