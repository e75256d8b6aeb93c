// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Peers;

/// <summary>
/// What a node whose address its peers do not know calls into its network: "a node of yours is here". It names nobody to strangers, for it is a hash that only members can compare.
/// It proves nothing either: whoever hears it asks at the sender's address over mutual TLS, which does.
/// </summary>
internal static class WhereaboutsMessage
{
    /// <summary>Magic, hash, peer port.</summary>
    public const int Bytes = 8 + SHA256.HashSizeInBytes + 2;

    private static ReadOnlySpan<byte> Magic => "nmdstk.1"u8;

    public static byte[] Of(ClusterDocument cluster, NodeEntry self)
    {
        var message = new byte[Bytes];
        Magic.CopyTo(message);
        HashOf(cluster, self.Id).CopyTo(message, Magic.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(Bytes - 2), (ushort)self.Ports.Peers);
        return message;
    }

    /// <summary>The member that calls, and its peer port; null for anything else.</summary>
    public static (NodeEntry Node, int Port)? Read(ReadOnlySpan<byte> message, ClusterDocument cluster, IEnumerable<NodeEntry> others)
    {
        if (message.Length != Bytes || !message.StartsWith(Magic) || BinaryPrimitives.ReadUInt16BigEndian(message[^2..]) is not (> 0 and var port)) return null;
        var hash = message.Slice(Magic.Length, SHA256.HashSizeInBytes).ToArray();
        return others.FirstOrDefault(n => CryptographicOperations.FixedTimeEquals(HashOf(cluster, n.Id), hash)) is { } node ? (node, port) : null;
    }

    private static byte[] HashOf(ClusterDocument cluster, string nodeId) => SHA256.HashData(Encoding.UTF8.GetBytes($"nomadstack whereabouts 1\n{cluster.ClusterId}\n{cluster.CaPin}\n{nodeId}"));
}
