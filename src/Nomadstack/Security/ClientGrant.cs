// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Security;

/// <summary><c>pki/PRODUCT/given.json</c> on a client node: what server nodes gave it beside its certificate.</summary>
/// <param name="Address">The node's address when it was given: the certificate holds it.</param>
/// <param name="Gossip">The key of the product's gossip; null for none.</param>
/// <param name="Tokens">By name.</param>
internal sealed record ClientGrant(int Schema, string Address, string? Gossip, IReadOnlyDictionary<string, string> Tokens);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ClientGrant))]
internal sealed partial class ClientGrantJson : JsonSerializerContext;
