// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Peers;

/// <summary>One setting of the cluster: a register that any server node may write. The higher version wins, wherever it was written.</summary>
internal sealed record Setting
{
    public required string Name { get; init; }

    /// <summary>Any JSON; absent once the setting was deleted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Value { get; init; }

    /// <summary>One more than the version it replaced.</summary>
    public required long Version { get; init; }

    /// <summary>Id of the node that wrote it.</summary>
    public required string Writer { get; init; }

    /// <summary>A deletion is a writing like any other: it has to win over what others still hold.</summary>
    public bool Deleted { get; init; }

    /// <summary>By <see cref="Writer"/>, a server node.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EntrySignature? Signed { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}
