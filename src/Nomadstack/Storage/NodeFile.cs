// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Storage;

// Properties that a file may lack are settable: what is only init would lose its default when the file does not name it.
/// <summary><c>node.json</c>: who this node is. Minted at the agent's first start, never changed by a program but for the address.</summary>
internal sealed record NodeFile : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    /// <summary>A UUID, minted once; also the subject of the node's peer certificate.</summary>
    public required string Id { get; init; }

    /// <summary>The node's name, unique in the cluster: the host name unless given.</summary>
    public required string Name { get; init; }

    /// <summary>The IP address that everything of this node binds to and is reached at.</summary>
    public required string Address { get; init; }

    public PortPlan Ports { get; set; } = new();

    public static DurableFile<NodeFile> At(NodePaths paths) =>
        new(paths.NodeFile, CurrentSchema, StorageJson.Default.NodeFile, Complaint);

    private static string? Complaint(NodeFile node) =>
        !Guid.TryParse(node.Id, out _) ? "its id is no UUID"
        : string.IsNullOrEmpty(node.Name) ? "it has no name"
        : node.Ports is null ? "its ports are null"
        : !System.Net.IPAddress.TryParse(node.Address, out _) ? $"its address \"{node.Address}\" is no IP address"
        : null;
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(NodeFile))]
internal sealed partial class StorageJson : JsonSerializerContext;
