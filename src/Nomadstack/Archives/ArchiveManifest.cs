// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Archives;

/// <summary>What an archive holds, and of what. It is the first file in it, and lies beside it without a secret.</summary>
internal sealed record ArchiveManifest
{
    /// <summary>Archives of a higher number were written by a newer nomadstack.</summary>
    public const int CurrentFormat = 1;

    public const string Snapshot = "snapshot", Kit = "kit";

    public int Format { get; init; } = CurrentFormat;

    public string Kind { get; init; } = Snapshot;

    /// <summary>The version of nomadstack that made it.</summary>
    public required string Release { get; init; }

    public required string ClusterId { get; init; }

    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>The name of the node that made it.</summary>
    public required string Node { get; init; }

    public IReadOnlyList<ArchivedProduct> Products { get; init => field = value ?? []; } = [];

    /// <summary>All other files in it.</summary>
    public IReadOnlyList<ArchivedFile> Files { get; init => field = value ?? []; } = [];
}

/// <summary>The state of one product.</summary>
/// <param name="Version">Of the server that saved it.</param>
/// <param name="Index">Raft's last index in it.</param>
/// <param name="Counts">How many there are of what, such as <c>jobs</c>.</param>
internal sealed record ArchivedProduct(string Name, string Version, string Engine, long Index, long Term, ArchivedFile File, IReadOnlyDictionary<string, long> Counts);

/// <param name="Size">In bytes.</param>
/// <param name="Sha256">In lower-case hexadecimal.</param>
internal sealed record ArchivedFile(string Name, long Size, string Sha256);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(ArchiveManifest))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(Dictionary<string, byte[]>))]
internal sealed partial class ArchiveJson : JsonSerializerContext;
