// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>
/// <c>programs.json</c>: the versions that programs reported, valid while their files do not change. Asking one costs a tenth of a second of CPU, just at the
/// moment when a machine boots and its servers want to start.
/// </summary>
internal sealed class KnownPrograms(NodePaths paths)
{
    private readonly DurableFile<KnownProgramsFile> _file = new(Path.Combine(paths.Data, "programs.json"), 1, KnownProgramsJson.Default.KnownProgramsFile);

    /// <summary>What this file reported before; null if it never did or has changed.</summary>
    /// <exception cref="Cluster.ProblemException"><c>storage/*</c>.</exception>
    public ProductProgram? Recall(string kind, string path) =>
        _file.Read()?.Programs.GetValueOrDefault(path) is { } known && known.Kind == kind && known.Fingerprint == ProgramStamp.Of(path) && SemVer.Parse(known.Version) is { } version
            ? new(kind, path, [], version)
            : null;

    /// <exception cref="Cluster.ProblemException"><c>storage/*</c>.</exception>
    public void Remember(ProductProgram program)
    {
        var known = _file.Read()?.Programs ?? new Dictionary<string, KnownProgram>();
        var now = new KnownProgram(program.Kind, program.Version.ToString(), ProgramStamp.Of(program.Path) ?? "");
        if (known.GetValueOrDefault(program.Path) != now) _file.Write(new() { Programs = new Dictionary<string, KnownProgram>(known) { [program.Path] = now } });
    }
}

internal sealed record KnownProgramsFile : IHasSchema
{
    public int Schema { get; init; } = 1;

    /// <summary>By absolute path.</summary>
    public IReadOnlyDictionary<string, KnownProgram> Programs { get; set; } = new Dictionary<string, KnownProgram>();
}

/// <param name="Fingerprint">The fingerprint of the file that reported it.</param>
internal sealed record KnownProgram(string Kind, string Version, string Fingerprint);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(KnownProgramsFile))]
internal sealed partial class KnownProgramsJson : JsonSerializerContext;
