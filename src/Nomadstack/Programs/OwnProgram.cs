// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>
/// The program of a product that this node runs, until somebody takes another. What a package manager does to the file that it was copied from is an offer and no more.
/// </summary>
/// <param name="Path">The file that runs: a copy of ours, or a file that is ours already because it was fetched or came in the bundle.</param>
/// <param name="Stamp">The stamp of <paramref name="Path"/> when its content was last known.</param>
/// <param name="Sha256">The sum of its content; empty for a file that carries its sum beside it.</param>
/// <param name="Source">The file that it was taken from.</param>
/// <param name="SourceStamp">The stamp of <paramref name="Source"/> at that time.</param>
/// <param name="Why">Why it is this one: a few words to print after its name.</param>
internal sealed record OwnProgram(string Version, string Path, string Stamp, string Sha256, string Source, string SourceStamp, string Why)
{
    /// <summary>The file that an option named when it was taken; null for none. Only another name is a wish for another program.</summary>
    public string? Named { get; init; }

    [JsonIgnore]
    public bool IsCopy => Path != Source;

    /// <summary>
    /// Whether a program is another one than this. A package that was installed again with the same content is none. Reads the whole file if it may have changed.
    /// </summary>
    public bool Differs(ProductProgram other)
    {
        if (other.Path == Path || (other.Path == Source && ProgramStamp.Of(other.Path) == SourceStamp)) return false;
        return Sha256.Length > 0 ? OwnPrograms.Sum(other.Path) != Sha256 : other.Version.ToString() != Version;
    }
}

internal sealed record OwnProgramsFile : IHasSchema
{
    public int Schema { get; init; } = 1;

    /// <summary>By product.</summary>
    public IReadOnlyDictionary<string, OwnProgram> Programs { get; set; } = new Dictionary<string, OwnProgram>();
}

/// <summary>Another program than the one that runs, where this node would look for one today.</summary>
internal sealed record ProgramOffer(string Version, string Path);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OwnProgramsFile))]
internal sealed partial class OwnProgramsJson : JsonSerializerContext;
