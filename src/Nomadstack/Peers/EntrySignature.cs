// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Peers;

/// <summary>What a node may do in the membership. Its key is certified for one of these by the cluster's CA, so no node can raise itself.</summary>
internal static class NodeKind
{
    /// <summary>May hold servers and secrets; vouches for tokens, settings and removals.</summary>
    public const string Server = "server";

    /// <summary>Speaks for itself alone.</summary>
    public const string Client = "client";
}

/// <summary>
/// Who vouches for an entry, whole in itself: with the cluster's CA alone anybody can tell whether it holds, whatever else he has heard of,
/// and in whatever order.
/// </summary>
internal sealed record EntrySignature
{
    /// <summary>Id of the node that signed.</summary>
    public required string By { get; init; }

    /// <summary><see cref="NodeKind"/> its key was certified for.</summary>
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
