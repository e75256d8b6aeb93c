// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>
/// Reads msgpack as go-msgpack writes it, without loading what is not asked for. In its old form, which raft uses, bytes are strings and times are bytes; in its new one both have
/// a form of their own.
/// </summary>
internal sealed class MsgpackPart(FilePart part)
{
    /// <summary>raft's records have some ten; a damaged count must not be counted out.</summary>
    private const int MostItems = 16 * 1024;

    private const int MostText = 4096;

    private long _at;
    private int _items;

    /// <summary>The number of keys that follow, each with a value.</summary>
    public uint Map() => Begin() switch
    {
        var tag and >= 0x80 and <= 0x8f => tag & 0x0fu,
        0xde => (uint)Number(2),
        0xdf => (uint)Number(4),
        var tag => throw Unexpected("a map", tag),
    };

    /// <summary>The number of elements that follow; nil is an empty list.</summary>
    public uint List() => Begin() switch
    {
        0xc0 => 0,
        var tag and >= 0x90 and <= 0x9f => tag & 0x0fu,
        0xdc => (uint)Number(2),
        0xdd => (uint)Number(4),
        var tag => throw Unexpected("a list", tag),
    };

    /// <summary>Bytes, or the bytes of a string; nil is none.</summary>
    public FilePart Bytes()
    {
        var tag = Begin();
        return tag == 0xc0 ? part.Part(_at, 0) : Take(Length(tag) ?? throw Unexpected("a string", tag));
    }

    public string Text() => Encoding.UTF8.GetString(Bytes().Bytes(MostText));

    public long Integer() => Begin() switch
    {
        var tag and <= 0x7f => tag,
        0xcc => (long)Number(1),
        0xcd => (long)Number(2),
        0xce => (long)Number(4),
        0xcf => Number(8) is <= long.MaxValue and var large ? (long)large : throw part.Damage(_at, "a number is too large"),
        // raft has no negative numbers.
        0xd0 => Positive((sbyte)Number(1)),
        0xd1 => Positive((short)Number(2)),
        0xd2 => Positive((int)Number(4)),
        0xd3 => Positive((long)Number(8)),
        var tag => throw Unexpected("a number", tag),
    };

    /// <summary>Passes over a value, whatever it is.</summary>
    public void Skip()
    {
        for (var left = 1L; left > 0; left--)
        {
            var tag = Begin();
            switch (tag)
            {
                case >= 0x80 and <= 0x8f:
                    left += 2 * (tag & 0x0f);
                    break;
                case >= 0x90 and <= 0x9f:
                    left += tag & 0x0f;
                    break;
                case 0xdc or 0xdd:
                    left += (long)Number(tag == 0xdc ? 2 : 4);
                    break;
                case 0xde or 0xdf:
                    left += 2 * (long)Number(tag == 0xde ? 2 : 4);
                    break;
                default:
                    _ = Take(Length(tag) ?? Fixed(tag) ?? throw Unexpected("a value", tag));
                    break;
            }
        }
    }

    /// <summary>Of strings, bytes, and what has a type of its own.</summary>
    private long? Length(byte tag) => tag switch
    {
        >= 0xa0 and <= 0xbf => tag & 0x1f,
        0xd9 or 0xc4 => (long)Number(1),
        0xda or 0xc5 => (long)Number(2),
        0xdb or 0xc6 => (long)Number(4),
        0xc7 => (long)Number(1) + 1,
        0xc8 => (long)Number(2) + 1,
        0xc9 => (long)Number(4) + 1,
        >= 0xd4 and <= 0xd8 => 1 + (1 << (tag - 0xd4)),
        _ => null,
    };

    private static long? Fixed(byte tag) => tag switch
    {
        <= 0x7f or >= 0xe0 or 0xc0 or 0xc2 or 0xc3 => 0,
        0xcc or 0xd0 => 1,
        0xcd or 0xd1 => 2,
        0xce or 0xd2 or 0xca => 4,
        0xcf or 0xd3 or 0xcb => 8,
        _ => null,
    };

    private byte Begin()
    {
        if (++_items > MostItems) throw part.Damage(_at, $"a record of more than {MostItems} values");
        return part.Byte(_at++);
    }

    private ulong Number(int bytes)
    {
        Span<byte> number = stackalloc byte[8];
        number.Clear();
        part.Read(_at, number[^bytes..]);
        _at += bytes;
        return BinaryPrimitives.ReadUInt64BigEndian(number);
    }

    private FilePart Take(long length)
    {
        var taken = part.Part(_at, length);
        _at += length;
        return taken;
    }

    private long Positive(long number) => number >= 0 ? number : throw part.Damage(_at, "a negative number");

    private RaftDataException Unexpected(string wanted, byte tag) => part.Damage(_at - 1, $"0x{tag:x2} where {wanted} is expected");
}
