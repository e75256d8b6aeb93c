// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>Entries that <c>cluster.json</c> held and today's rules refuse: kept aside for a person to look at, used by nobody.</summary>
internal sealed record QuarantineFile : IHasSchema
{
    public const int CurrentSchema = 1;

    /// <summary>Entries kept; of more the oldest go.</summary>
    public const int Most = 64;

    public int Schema { get; init; } = CurrentSchema;

    public IReadOnlyList<QuarantinedEntry> Entries { get; set; } = [];
}

/// <param name="Why">Which field, and what is wrong with it.</param>
internal sealed record QuarantinedEntry(string Key, string Name, string Why, DateTimeOffset At, JsonElement? Entry);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(QuarantineFile))]
internal sealed partial class QuarantineJson : JsonSerializerContext;
