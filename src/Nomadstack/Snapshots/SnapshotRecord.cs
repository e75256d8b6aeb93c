// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Archives;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots;

/// <summary>What is known of an archive without opening it: a file beside it, which holds no secret.</summary>
internal sealed record SnapshotRecord : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    public required string Name { get; init; }

    public required ArchiveManifest Manifest { get; init; }

    /// <summary>Of the encrypted file, in bytes.</summary>
    public required long Size { get; init; }

    public required string Sha256 { get; init; }

    /// <summary>Which recovery key opens it: <see cref="SnapshotKey.IdOf"/>.</summary>
    public required string KeyId { get; init; }

    /// <summary>When it was restored into a throw-away server and compared; null if it was not.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>Why it is not verified; empty if it is.</summary>
    public string Unverified { get; init; } = "";

    public KeptSnapshot ToKept() => new(Name, Manifest.TakenAt, VerifiedAt is not null);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(SnapshotRecord))]
[JsonSerializable(typeof(IReadOnlyList<SnapshotRecord>))]
internal sealed partial class SnapshotJson : JsonSerializerContext;
