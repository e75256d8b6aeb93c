// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Driver;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>
/// <c>servers/ROLE/record.json</c>: records that a server exists on this node. As long as the record exists, the server is started at every boot,
/// with or without Nomad. It ends with the hand-over and retirement of the server.
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

    /// <summary>The version that the last claim asked for; null for the node's own.</summary>
    public string? Version { get; set; }

    /// <summary>When the last claim ended.</summary>
    public DateTimeOffset? ReleasedAt { get; set; }

    /// <summary>The intent, written before the first irreversible act of a hand-over: from then on the server leaves and is retired, even if the agent is killed.</summary>
    public bool Leaving { get; set; }

    /// <summary>Whether the server was ever a caught-up voter. Only then its data may be the cluster's data.</summary>
    public bool WasVoter { get; set; }

    /// <summary>
    /// IP and raft port by which its raft peers know it; null in the record of an older release, whose node could not change its address. Differs from the node's while that has changed and raft does not know it yet.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; set; }

    /// <summary>How often the majority of this product had been given up when this data began (<see cref="Peers.SettingNames.RecoveryEpoch"/>). Data of an older epoch is of a past that was given up.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Epoch { get; set; }

    [JsonIgnore]
    public string State => Leaving ? "leaving" : Claim is null ? "lingering" : "running";

    public static DurableFile<ServerRecord> At(string folder) =>
        new(Path.Combine(folder, "record.json"), CurrentSchema, ServersJson.Default.ServerRecord,
            r => string.IsNullOrEmpty(r.Role) ? "it does not name a role" : !Guid.TryParse(r.RaftId, out _) ? "its raft id is not a UUID" : null);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ServerRecord))]
internal sealed partial class ServersJson : JsonSerializerContext;
