// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Peers;

/// <summary>One setting of the cluster: a register that any server node may write. The higher version wins, whoever wrote it.</summary>
internal sealed record Setting
{
    public required string Name { get; init; }

    /// <summary>Any JSON; absent if the setting was deleted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Value { get; init; }

    /// <summary>One more than the version it replaced.</summary>
    public required long Version { get; init; }

    /// <summary>Id of the node that wrote it.</summary>
    public required string Writer { get; init; }

    /// <summary>A deletion is a write like any other: it must win over what others still have.</summary>
    public bool Deleted { get; init; }

    /// <summary>The signature of <see cref="Writer"/>, a server node.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EntrySignature? Signed { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}
