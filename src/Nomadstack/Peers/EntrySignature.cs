// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Peers;

/// <summary>What a node may do in the membership. The cluster's CA certifies its key for one of these, so no node can promote itself.</summary>
internal static class NodeKind
{
    /// <summary>May have servers and secrets; signs tokens, settings and removals.</summary>
    public const string Server = "server";

    /// <summary>Signs only its own entry.</summary>
    public const string Client = "client";

    /// <summary>The kind that a token lets a node in as; null for one that this release does not know.</summary>
    public static string? Of(TokenEntry token) => token.Kind switch
    {
        null or Server => Server,
        Client => Client,
        _ => null,
    };
}

/// <summary>
/// The signature of an entry. It is complete: with the cluster's CA anybody can check it, whatever else he has received
/// and in any order.
/// </summary>
internal sealed record EntrySignature
{
    /// <summary>Id of the node that signed.</summary>
    public required string By { get; init; }

    /// <summary><see cref="NodeKind"/> for which its key is certified.</summary>
    public required string Kind { get; init; }

    /// <summary>Its public key, SubjectPublicKeyInfo.</summary>
    public required byte[] Key { get; init; }

    /// <summary>The CA's signature over node id, kind and key.</summary>
    public required byte[] Proof { get; init; }

    /// <summary>The key's signature over the entry without this member (<see cref="CanonicalJson"/>). Both are ECDSA P-256 with SHA-256, 64 bytes.</summary>
    public required byte[] Value { get; init; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}
