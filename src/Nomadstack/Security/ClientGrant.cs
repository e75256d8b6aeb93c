// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Security;

/// <summary><c>pki/PRODUCT/given.json</c> on a client node: what server nodes gave it beside its certificate.</summary>
/// <param name="Address">The node's address when it was given: the certificate holds it.</param>
/// <param name="Gossip">The key of the product's gossip; null for none.</param>
/// <param name="Tokens">By name.</param>
/// <param name="Digest">Names all of it, as on server nodes.</param>
/// <param name="Asked">Under which settings it was asked for: under others, it is asked for again.</param>
internal sealed record ClientGrant(int Schema, string Address, string? Gossip, IReadOnlyDictionary<string, string> Tokens, string Digest = "", string Asked = "");

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ClientGrant))]
internal sealed partial class ClientGrantJson : JsonSerializerContext;
