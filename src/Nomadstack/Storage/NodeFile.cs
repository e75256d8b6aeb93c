// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Storage;

// Optional properties are settable: an init-only property would lose its default if the file does not contain it.
/// <summary><c>node.json</c>: who this node is. Made at the agent's first start; afterwards a program changes only the address.</summary>
internal sealed record NodeFile : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    /// <summary>A UUID, made once; also the subject of the node's peer certificate.</summary>
    public required string Id { get; init; }

    /// <summary>The node's name, unique in the cluster; by default the host name.</summary>
    public required string Name { get; init; }

    /// <summary>The IP address to which all processes of this node bind, and at which others reach them.</summary>
    public required string Address { get; init; }

    public PortPlan Ports { get; set; } = new();

    public static DurableFile<NodeFile> At(NodePaths paths) =>
        new(paths.NodeFile, CurrentSchema, StorageJson.Default.NodeFile, Complaint);

    private static string? Complaint(NodeFile node) =>
        !Guid.TryParse(node.Id, out _) ? "its id is not a UUID"
        : string.IsNullOrEmpty(node.Name) ? "it has no name"
        : node.Ports is null ? "its ports are null"
        : !System.Net.IPAddress.TryParse(node.Address, out _) ? $"its address \"{node.Address}\" is not an IP address"
        : null;
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(NodeFile))]
internal sealed partial class StorageJson : JsonSerializerContext;
