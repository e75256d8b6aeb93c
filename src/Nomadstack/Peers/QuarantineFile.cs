// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>Entries of <c>cluster.json</c> that the present rules refuse. They are kept for an operator to look at; nothing uses them.</summary>
internal sealed record QuarantineFile : IHasSchema
{
    public const int CurrentSchema = 1;

    /// <summary>Most entries kept. The oldest are dropped first.</summary>
    public const int Most = 64;

    public int Schema { get; init; } = CurrentSchema;

    public IReadOnlyList<QuarantinedEntry> Entries { get; set; } = [];
}

/// <param name="Why">Which field, and what is wrong with it.</param>
internal sealed record QuarantinedEntry(string Key, string Name, string Why, DateTimeOffset At, JsonElement? Entry);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(QuarantineFile))]
internal sealed partial class QuarantineJson : JsonSerializerContext;
