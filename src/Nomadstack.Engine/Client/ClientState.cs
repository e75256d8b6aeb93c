// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What a client must know after a restart before it asks a server anything: who it is, which allocations it has, and how to find their tasks.</summary>
internal sealed class ClientState
{
    private const int CurrentVersion = 1;
    private readonly string _allocations;

    private ClientState(string folder, string nodeId, string secretId) => (_allocations, NodeId, SecretId) = (Path.Combine(folder, "allocations"), nodeId, secretId);

    public string NodeId { get; }

    /// <summary>Proves to the servers that the node is the one that registered under its id.</summary>
    public string SecretId { get; }

    /// <exception cref="ClientStateException">An identity that is there, but none.</exception>
    public static ClientState Open(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "allocations"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new(folder, Identity(Path.Combine(folder, "client-id")), Identity(Path.Combine(folder, "secret-id")));
    }

    /// <exception cref="ClientStateException">One of them is damaged.</exception>
    public IReadOnlyList<AllocRecord> Allocations() =>
        [.. Directory.EnumerateFiles(_allocations, "*.json").Order(StringComparer.Ordinal).Select(f => ClientFile.Read(f, ClientJson.Default.AllocRecord, CurrentVersion, r => r.Version))];

    public void Save(AllocRecord record) =>
        ClientFile.Write(PathOf(record.Allocation.ID), JsonSerializer.SerializeToUtf8Bytes(record with { Version = CurrentVersion }, ClientJson.Default.AllocRecord));

    public void Delete(string allocation) => File.Delete(PathOf(allocation));

    private string PathOf(string allocation) => Path.Combine(_allocations, allocation + ".json");

    private static string Identity(string path)
    {
        if (File.Exists(path))
        {
            var text = File.ReadAllText(path).Trim();
            // A new one would be a new node, whose allocations the servers would start elsewhere while they run on here.
            return Guid.TryParseExact(text, "D", out _) ? text : throw ClientFile.Torn(path, "it does not hold a UUID");
        }

        var made = Guid.NewGuid().ToString();
        ClientFile.Write(path, Encoding.ASCII.GetBytes(made), syncFolder: true);
        return made;
    }
}

/// <summary>One allocation on disk.</summary>
internal sealed record AllocRecord
{
    public int Version { get; init; }

    /// <summary>As the servers gave it, with its job.</summary>
    public required Allocation Allocation { get; init; }

    public IReadOnlyDictionary<string, TaskRecord> Tasks { get; init; } = new Dictionary<string, TaskRecord>();

    /// <summary>What this client found of its health.</summary>
    public AllocDeploymentStatus? DeploymentStatus { get; init; }
}

/// <param name="TaskId">Written before the start, so that a client that dies in the middle of it looks for the task instead of starting a second one.</param>
/// <param name="Handle">The driver's, base64; null until the start is known to have worked, and again after the end.</param>
internal sealed record TaskRecord(TaskState State, string? TaskId, string? Handle);

[JsonSerializable(typeof(AllocRecord))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, Converters = [typeof(NanosecondsConverter), typeof(GoTimeConverter)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class ClientJson : JsonSerializerContext;
