// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>The simplest state that shows every lost, repeated or reordered command: a list of unique values, and a hash of each of its prefixes.</summary>
internal sealed class ListMachine
{
    private readonly List<long> _values = [];
    private readonly List<ulong> _hashes = [0];

    public IReadOnlyList<long> Values => _values;

    public int Count => _values.Count;

    public ulong Hash => _hashes[^1];

    public ulong HashOf(int count) => _hashes[count];

    public int Append(long value)
    {
        _values.Add(value);
        _hashes.Add(((_hashes[^1] ^ (ulong)value) * 0x9E37_79B9_7F4A_7C15) + 1);
        return _values.Count - 1;
    }

    public static byte[] Encode(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes;
    }

    public static long Decode(ReadOnlyMemory<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes.Span);

    public byte[] Snapshot()
    {
        var bytes = new byte[8 * _values.Count];
        for (var i = 0; i < _values.Count; i++) BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8 * i), _values[i]);
        return bytes;
    }

    public void Restore(ReadOnlyMemory<byte> snapshot)
    {
        _values.Clear();
        _hashes.RemoveRange(1, _hashes.Count - 1);
        for (; !snapshot.IsEmpty; snapshot = snapshot[8..]) Append(Decode(snapshot));
    }
}
