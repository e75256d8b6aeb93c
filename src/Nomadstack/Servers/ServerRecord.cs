// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Driver;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>
/// <c>servers/ROLE/record.json</c>: that a server exists on this node. While it exists the server is started at every boot,
/// with or without Nomad, until it was handed over and retired.
/// </summary>
internal sealed record ServerRecord : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    public required string Role { get; init; }

    /// <summary>The id in the raft configuration, written into the server's node-id file before its first start.</summary>
    public required string RaftId { get; init; }

    /// <summary>The allocation that claims the server now; null while it lingers.</summary>
    public ServerClaim? Claim { get; set; }

    /// <summary>Version of the binary the last claim asked for; null for the node's own.</summary>
    public string? Version { get; set; }

    /// <summary>When the last claim ended.</summary>
    public DateTimeOffset? ReleasedAt { get; set; }

    /// <summary>Intent, written before the first irreversible act of a hand-over: the server leaves and is retired, whatever happens to the agent meanwhile.</summary>
    public bool Leaving { get; set; }

    /// <summary>Whether the server ever was a caught-up voter: only then may it be the one that keeps the cluster's data.</summary>
    public bool WasVoter { get; set; }

    [JsonIgnore]
    public string State => Leaving ? "leaving" : Claim is null ? "lingering" : "running";

    public static DurableFile<ServerRecord> At(string folder) =>
        new(Path.Combine(folder, "record.json"), CurrentSchema, ServersJson.Default.ServerRecord,
            r => string.IsNullOrEmpty(r.Role) ? "it names no role" : !Guid.TryParse(r.RaftId, out _) ? "its raft id is no UUID" : null);
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ServerRecord))]
internal sealed partial class ServersJson : JsonSerializerContext;
