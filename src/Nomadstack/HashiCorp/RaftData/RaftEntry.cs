// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>What is needed of an entry of raft's log.</summary>
/// <param name="Data">What it says, for its type.</param>
internal sealed record RaftEntry(long Index, long Term, long Type, FilePart Data)
{
    /// <summary>raft, log.go: LogConfiguration.</summary>
    private const long ConfigurationType = 5;

    /// <summary>A server has some 100 bytes in it.</summary>
    private const int MostConfigurationBytes = 1024 * 1024;

    public bool IsConfiguration => Type == ConfigurationType;

    /// <summary>As <c>raft.db</c> has it: the msgpack of raft.Log.</summary>
    public static RaftEntry FromMsgpack(long index, FilePart value)
    {
        var reader = new MsgpackPart(value);
        long? own = null, term = null, type = null;
        FilePart? data = null;
        for (var left = reader.Map(); left > 0; left--)
        {
            switch (reader.Text())
            {
                case "Index":
                    own = reader.Integer();
                    break;
                case "Term":
                    term = reader.Integer();
                    break;
                case "Type":
                    type = reader.Integer();
                    break;
                case "Data":
                    data = reader.Bytes();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return own == index && term is { } t && type is { } kind && data is { } d
            ? new(index, t, kind, d)
            : throw value.Damage(0, $"entry {index} is not whole or is another one");
    }

    /// <summary>As a segment of raft-wal has it: Index, Term and Type as varints, then Data with its length (raft-wal, codec.go).</summary>
    public static RaftEntry FromBinary(long index, FilePart value)
    {
        var at = 0L;
        var own = Varint(value, ref at);
        var term = Varint(value, ref at);
        var type = Varint(value, ref at);
        var length = Varint(value, ref at);
        return own == index ? new(index, term, type, value.Part(at, length)) : throw value.Damage(0, $"entry {own} where entry {index} is expected");
    }

    /// <summary>The servers of a configuration: <c>{Servers:[{Suffrage,ID,Address}]}</c>.</summary>
    public IReadOnlyList<RaftPeer> Peers()
    {
        if (Data.Length > MostConfigurationBytes) throw Data.Damage(0, $"a configuration of {Data.Length} bytes");
        var reader = new MsgpackPart(Data);
        IReadOnlyList<RaftPeer>? peers = null;
        for (var left = reader.Map(); left > 0; left--)
        {
            if (reader.Text() == "Servers") peers = Servers(reader);
            else reader.Skip();
        }

        return peers ?? throw Data.Damage(0, "a configuration without servers");
    }

    private static List<RaftPeer> Servers(MsgpackPart reader)
    {
        var servers = new List<RaftPeer>();
        for (var left = reader.List(); left > 0; left--)
        {
            var (id, address, suffrage) = ("", "", 0L);
            for (var fields = reader.Map(); fields > 0; fields--)
            {
                switch (reader.Text())
                {
                    case "ID":
                        id = reader.Text();
                        break;
                    case "Address":
                        address = reader.Text();
                        break;
                    case "Suffrage":
                        suffrage = reader.Integer();
                        break;
                    default:
                        reader.Skip();
                        break;
                }
            }

            servers.Add(new(id, address, suffrage == Suffrage.Voter));
        }

        return servers;
    }

    private static long Varint(FilePart part, ref long at)
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = part.Byte(at++);
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80) return value <= long.MaxValue ? (long)value : throw part.Damage(at - 1, "a number is too large");
        }

        throw part.Damage(at - 1, "a number does not end");
    }
}

/// <summary>raft, configuration.go: 1 is a non-voter, 2 one that becomes a voter.</summary>
internal static class Suffrage
{
    public const int Voter = 0;
}
