// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>One secret of the cluster as its writer signed it. It is encrypted with its own key, which it does not contain.</summary>
internal sealed record Secret
{
    public required string Name { get; init; }

    public required long Version { get; init; }

    /// <summary>Id of the server node that wrote it.</summary>
    public required string Writer { get; init; }

    public bool Deleted { get; init; }

    /// <summary>Nonce, ciphertext and tag (AES-256-GCM); absent once deleted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public byte[]? Content { get; init; }

    /// <summary>Hash of the content's key, so that a box with another key is detected.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public byte[]? Commit { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EntrySignature? Signed { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>The content's key, sealed to one server node.</summary>
/// <param name="Pin">The pin of the node key for which it is sealed.</param>
/// <param name="Key">An ephemeral public key, the sealed key and its tag.</param>
internal sealed record SecretBox(string Pin, byte[] Key);

/// <summary>A secret and its boxes, as in <c>secrets/</c> and as server nodes send it.</summary>
internal sealed record SealedSecret : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    /// <summary>A <see cref="Peers.Secret"/>, in the form that was signed.</summary>
    public required JsonElement Secret { get; init; }

    /// <summary>By node id. A server node that can open one makes the missing ones.</summary>
    public IReadOnlyDictionary<string, SecretBox> Boxes { get; set; } = new Dictionary<string, SecretBox>();
}

/// <summary><c>POST /v1/secrets</c>, only between server nodes.</summary>
internal sealed record SecretsRequest(IReadOnlyDictionary<string, string> Versions)
{
    public IReadOnlyList<SealedSecret>? Push { get; init; }
}

/// <param name="Newer">Secrets that the asking node does not have, or whose boxes it does not have.</param>
/// <param name="Want">Names of secrets that the asking node has and this node does not have.</param>
internal sealed record SecretsAnswer(IReadOnlyList<SealedSecret> Newer, IReadOnlyList<string> Want);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(Secret))]
[JsonSerializable(typeof(SealedSecret))]
[JsonSerializable(typeof(SecretsRequest))]
[JsonSerializable(typeof(SecretsAnswer))]
internal sealed partial class SecretsJson : JsonSerializerContext;
