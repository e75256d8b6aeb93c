// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Nomadstack.Peers;

/// <summary>JSON of this folder, in the compact form that peers send.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(ClusterDocument))]
[JsonSerializable(typeof(NodeEntry))]
[JsonSerializable(typeof(TokenEntry))]
[JsonSerializable(typeof(Setting))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(IReadOnlyList<string>), TypeInfoPropertyName = "Texts")]
[JsonSerializable(typeof(PingAnswer))]
[JsonSerializable(typeof(PeerAnswer))]
[JsonSerializable(typeof(JoinRequest))]
[JsonSerializable(typeof(JoinAnswer))]
[JsonSerializable(typeof(SyncRequest))]
[JsonSerializable(typeof(SyncAnswer))]
[JsonSerializable(typeof(ProblemMessage))]
internal sealed partial class PeersJson : JsonSerializerContext;

/// <summary>The same JSON with one field per line, for operators who read <c>cluster.json</c>.</summary>
internal static class ReadablePeersJson
{
    public static JsonTypeInfo<ClusterDocument> ClusterDocument { get; } =
        (JsonTypeInfo<ClusterDocument>)new JsonSerializerOptions(PeersJson.Default.Options) { WriteIndented = true }.GetTypeInfo(typeof(ClusterDocument));
}
