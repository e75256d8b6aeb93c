// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>Writes a segment of raft-wal (segment/format.go) commit by commit, and the file that lists segments.</summary>
internal sealed class WalBuilder
{
    private readonly List<byte> _file = [];
    private readonly List<uint> _offsets = [];
    private readonly long _base;
    private readonly long _id;
    private int _batch;

    public WalBuilder(long baseIndex, long id)
    {
        (_base, _id) = (baseIndex, id);
        Header(_file, 0x58eb6b0d, (ulong)baseIndex, (ulong)id, 1);
    }

    public string Name => $"wal/{_base:d20}-{_id:x16}.wal";

    /// <summary>Where the places of the entries are, once it is sealed.</summary>
    public int IndexStart { get; private set; }

    public int Length => _file.Count;

    public WalBuilder Entry(long index, long term, byte type = RaftRecords.Command, byte[]? data = null)
    {
        _offsets.Add((uint)_file.Count);
        byte[] payload = [.. Varint((ulong)index), .. Varint((ulong)term), type, .. Varint((ulong)(data?.Length ?? 3)), .. data ?? [1, 2, 3], 0, .. new byte[15]];
        Frame(1, payload);
        return this;
    }

    /// <param name="wrong">With a checksum that is not its own.</param>
    public WalBuilder Commit(bool wrong = false)
    {
        var crc = uint.MaxValue;
        foreach (var b in _file.Skip(_batch)) crc = BitOperations.Crc32C(crc, b);
        _file.AddRange([3, 0, 0, 0, .. BitConverter.GetBytes(~crc + (wrong ? 1u : 0u))]);
        _batch = _file.Count;
        return this;
    }

    public WalBuilder Seal()
    {
        IndexStart = _file.Count + 8;
        Frame(2, [.. _offsets.SelectMany(BitConverter.GetBytes)]);
        return Commit();
    }

    /// <summary>The system allots a segment its whole size at once.</summary>
    public byte[] File(int padding = 4096) => [.. _file, .. new byte[padding]];

    public string Info(long min, long max, int codec = 1) =>
        $$"""{"ID":{{_id}},"BaseIndex":{{_base}},"MinIndex":{{min}},"MaxIndex":{{max}},"Codec":{{codec}},"IndexStart":{{(max > 0 ? IndexStart : 0)}},"CreateTime":"2024-01-01T00:00:00Z","SealTime":"0001-01-01T00:00:00Z","SizeLimit":67108864}""";

    public static byte[] Meta(long term, params string[] segments)
    {
        // raft-wal writes its numbers with the lowest byte first (wal.go, SetUint64).
        var stable = (Encoding.ASCII.GetBytes("CurrentTerm"), BitConverter.GetBytes(term));
        var list = (new[] { (byte)'m' }, Encoding.UTF8.GetBytes($$"""{"NextSegmentID":9,"Segments":[{{string.Join(',', segments)}}]}"""));
        return new BoltBuilder().Bucket("stable", stable).Bucket("wal-meta", list).Build();
    }

    private void Frame(byte kind, byte[] payload) =>
        _file.AddRange([kind, 0, 0, 0, .. BitConverter.GetBytes(payload.Length), .. payload, .. new byte[(8 - payload.Length % 8) % 8]]);

    private static void Header(List<byte> file, params ulong[] fields)
    {
        var bytes = new byte[8];
        foreach (var field in fields)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, field);
            file.AddRange(bytes);
        }
    }

    private static IEnumerable<byte> Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) yield return (byte)(value | 0x80);
        yield return (byte)value;
    }
}
