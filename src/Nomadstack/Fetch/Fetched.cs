// SPDX-License-Identifier: MPL-2.0
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Fetch;

/// <summary>A program that is now on this machine.</summary>
/// <param name="New">False when it was here already.</param>
internal sealed record Fetched(string Product, string Version, string Licence, string Path, bool New);

/// <summary>What <c>fetch --json</c> prints.</summary>
internal sealed record FetchDocument(int Schema, IReadOnlyList<Fetched> Fetched);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(FetchDocument))]
internal sealed partial class FetchJson : JsonSerializerContext
{
    public static FetchJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}

/// <summary>How far a step of a fetch is.</summary>
/// <param name="Total">Null when the source does not say.</param>
internal sealed record FetchProgress(string Step, long Bytes = 0, long? Total = null);
