// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Products;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>What raft puts into a log: entries and configurations, in both encodings.</summary>
internal static class RaftRecords
{
    public const byte Command = 0, Configuration = 5;

    public static IReadOnlyList<RaftPeer> Peers(int count) => [.. Enumerable.Range(1, count).Select(i => new RaftPeer($"id{i}", $"10.0.0.{i}:4647", i < 3))];

    /// <summary>The msgpack of a raft.Log; <paramref name="modern"/> with a time, as raft 1.3 and later.</summary>
    public static (byte[] Key, byte[] Value) Entry(long index, long term, byte type = Command, byte[]? data = null, bool modern = false)
    {
        List<byte> value = [(byte)(0x80 + (modern ? 6 : 5))];
        if (modern) value.AddRange([.. Text("AppendedAt"), 0xd7, 0xff, 1, 2, 3, 4, 5, 6, 7, 8]);
        value.AddRange([.. Text("Data"), .. Bytes(data ?? [0xc0, 1, 2]), .. Text("Extensions"), 0xc0]);
        value.AddRange([.. Text("Index"), .. Number(index), .. Text("Term"), .. Number(term), .. Text("Type"), type]);
        return (BoltBuilder.Key(index), [.. value]);
    }

    public static byte[] ConfigurationOf(IReadOnlyList<RaftPeer> peers)
    {
        List<byte> value = [0x81, .. Text("Servers"), (byte)(0x90 + peers.Count)];
        foreach (var peer in peers)
            value.AddRange([0x83, .. Text("Suffrage"), (byte)(peer.Voter ? 0 : 1), .. Text("ID"), .. Text(peer.Id), .. Text("Address"), .. Text(peer.Address)]);
        return [.. value];
    }

    public static (byte[] Key, byte[] Value) Term(long term) => (Encoding.ASCII.GetBytes("CurrentTerm"), BoltBuilder.Key(term));

    private static byte[] Text(string text) => [(byte)(0xa0 + text.Length), .. Encoding.ASCII.GetBytes(text)];

    private static byte[] Bytes(byte[] bytes)
    {
        if (bytes.Length < 32) return [(byte)(0xa0 + bytes.Length), .. bytes];
        return bytes.Length <= ushort.MaxValue ? [0xda, (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes] : [0xdb, .. BoltBuilder.Key(bytes.Length)[4..], .. bytes];
    }

    private static byte[] Number(long number) => number < 128 ? [(byte)number] : [0xcf, .. BoltBuilder.Key(number)];
}
