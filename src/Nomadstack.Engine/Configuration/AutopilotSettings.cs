// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.Configuration;

/// <summary>Autopilot's settings: as an agent's files give them first, and as operators read and write them.</summary>
internal sealed record AutopilotSettings(bool CleanupDeadServers, int MinQuorum, TimeSpan ServerStabilizationTime, TimeSpan LastContactThreshold, int MaxTrailingLogs)
{
    public static readonly AutopilotSettings Default = new(true, 0, TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(200), 250);

    // What Nomad's settings have and ours never use, under the names that readers know.
    public bool EnableRedundancyZones { get; }
    public bool DisableUpgradeMigration { get; }
    public bool EnableCustomUpgrades { get; }

    /// <summary>What is not said is zero, as Nomad reads it.</summary>
    /// <exception cref="JsonException">A value is of a wrong kind.</exception>
    public static AutopilotSettings Read(JsonElement json) => json.Deserialize(AutopilotJson.Default.AutopilotSettings) ?? throw new JsonException("an object is expected");

    public JsonElement ToElement() => JsonSerializer.SerializeToElement(this, AutopilotJson.Default.AutopilotSettings);
}

[JsonSerializable(typeof(AutopilotSettings))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, Converters = [typeof(GoDurationConverter)])]
internal sealed partial class AutopilotJson : JsonSerializerContext;
