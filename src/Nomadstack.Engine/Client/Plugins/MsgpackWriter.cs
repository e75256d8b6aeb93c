// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>Writes decoded configuration as HashiCorp's client does: keys in order, each number in its shortest form.</summary>
internal static class MsgpackWriter
{
    public static byte[] Write(object? value)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(output, value);
        return output.WrittenSpan.ToArray();
    }

    private static void Write(ArrayBufferWriter<byte> output, object? value)
    {
        switch (value)
        {
            case null:
                Byte(output, 0xc0);
                break;
            case bool flag:
                Byte(output, flag ? (byte)0xc3 : (byte)0xc2);
                break;
            case long number:
                Integer(output, number);
                break;
            case double number:
                Byte(output, 0xcb);
                BinaryPrimitives.WriteDoubleBigEndian(Take(output, 8), number);
                break;
            case string text:
                var bytes = Encoding.UTF8.GetBytes(text);
                Head(output, bytes.Length, 0xa0, 31, 0xd9, 0xda);
                output.Write(bytes);
                break;
            case IReadOnlyDictionary<string, object?> map:
                Head(output, map.Count, 0x80, 15, null, 0xde);
                foreach (var (key, item) in map.OrderBy(m => m.Key, StringComparer.Ordinal))
                {
                    Write(output, key);
                    Write(output, item);
                }

                break;
            case IReadOnlyList<object?> list:
                Head(output, list.Count, 0x90, 15, null, 0xdc);
                foreach (var item in list) Write(output, item);
                break;
            default:
                throw new ArgumentException($"no configuration holds a {value.GetType()}", nameof(value));
        }
    }

    /// <param name="one">The tag before a length of one byte, where there is one; that before two bytes is followed by that before four.</param>
    private static void Head(ArrayBufferWriter<byte> output, int length, byte tag, int most, byte? one, byte two)
    {
        if (length <= most)
        {
            Byte(output, (byte)(tag | length));
        }
        else if (one is { } head && length <= byte.MaxValue)
        {
            Byte(output, head);
            Byte(output, (byte)length);
        }
        else if (length <= ushort.MaxValue)
        {
            Byte(output, two);
            BinaryPrimitives.WriteUInt16BigEndian(Take(output, 2), (ushort)length);
        }
        else
        {
            Byte(output, (byte)(two + 1));
            BinaryPrimitives.WriteInt32BigEndian(Take(output, 4), length);
        }
    }

    private static void Integer(ArrayBufferWriter<byte> output, long number)
    {
        switch (number)
        {
            case >= 0 and <= 127 or < 0 and >= -32:
                Byte(output, (byte)number);
                break;
            case >= 0 and <= byte.MaxValue:
                Byte(output, 0xcc);
                Byte(output, (byte)number);
                break;
            case >= 0 and <= ushort.MaxValue:
                Byte(output, 0xcd);
                BinaryPrimitives.WriteUInt16BigEndian(Take(output, 2), (ushort)number);
                break;
            case >= 0 and <= uint.MaxValue:
                Byte(output, 0xce);
                BinaryPrimitives.WriteUInt32BigEndian(Take(output, 4), (uint)number);
                break;
            case >= 0:
                Byte(output, 0xcf);
                BinaryPrimitives.WriteInt64BigEndian(Take(output, 8), number);
                break;
            case >= sbyte.MinValue:
                Byte(output, 0xd0);
                Byte(output, (byte)number);
                break;
            case >= short.MinValue:
                Byte(output, 0xd1);
                BinaryPrimitives.WriteInt16BigEndian(Take(output, 2), (short)number);
                break;
            case >= int.MinValue:
                Byte(output, 0xd2);
                BinaryPrimitives.WriteInt32BigEndian(Take(output, 4), (int)number);
                break;
            default:
                Byte(output, 0xd3);
                BinaryPrimitives.WriteInt64BigEndian(Take(output, 8), number);
                break;
        }
    }

    private static void Byte(ArrayBufferWriter<byte> output, byte value) => Take(output, 1)[0] = value;

    private static Span<byte> Take(ArrayBufferWriter<byte> output, int count)
    {
        var span = output.GetSpan(count)[..count];
        output.Advance(count);
        return span;
    }
}
