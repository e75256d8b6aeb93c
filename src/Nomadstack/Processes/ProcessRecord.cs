// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Storage;

namespace Nomadstack.Processes;

/// <summary>
/// <c>processes/NAME.json</c>: what should run under this name, and what last ran. It is written before each start by a caller, so that
/// every running process is either named here or found by its marker and this spec. A second one is never started.
/// </summary>
internal sealed record ProcessRecord : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    public required ProcessSpec Spec { get; init; }

    /// <summary>Whether the process should run. A stop clears this before it sends its signal.</summary>
    public required bool Wanted { get; init; }

    /// <summary>Null from the decision to start until the process has started.</summary>
    public ProcessIdentity? Process { get; set; }

    /// <summary>The id of the boot in which this was written.</summary>
    public required string BootId { get; init; }

    /// <summary>Unrequested restarts since the last start by a caller.</summary>
    public int Restarts { get; set; }

    public static DurableFile<ProcessRecord> At(string folder, string name) =>
        new(Path.Combine(folder, name + ".json"), CurrentSchema, AgentsJson.Default.ProcessRecord, record => Complaint(record, name));

    /// <summary>Names of all processes that have a record.</summary>
    public static IReadOnlyList<string> Names(string folder) =>
        Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)] : [];

    /// <summary>Pure. Whether a process of one spec also satisfies the other.</summary>
    public static bool Same(ProcessSpec a, ProcessSpec b)
    {
        var (x, y) = (a.Environment ?? new Dictionary<string, string>(), b.Environment ?? new Dictionary<string, string>());
        return a.Name == b.Name && a.Executable == b.Executable && a.LogFile == b.LogFile && a.Arguments.SequenceEqual(b.Arguments)
            && x.Count == y.Count && x.All(e => y.TryGetValue(e.Key, out var value) && value == e.Value);
    }

    private static string? Complaint(ProcessRecord record, string name) =>
        record.Spec is not { Executable.Length: > 0, Arguments: not null } ? "it names no program"
        : record.Spec.Name != name ? $"it is the record of {record.Spec.Name}"
        : null;
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(ProcessRecord))]
internal sealed partial class AgentsJson : JsonSerializerContext;
