// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>Autopilot's settings as operators read and write them.</summary>
internal sealed record AutopilotSettings(bool CleanupDeadServers, int MinQuorum, TimeSpan ServerStabilizationTime, TimeSpan LastContactThreshold, int MaxTrailingLogs)
{
    public static AutopilotSettings Of(AutopilotConfig config) =>
        new(config.CleanupDeadServers, config.MinQuorum, config.ServerStabilizationTime, config.LastContactThreshold, config.MaxTrailingLogs);

    /// <summary>What is in the state, and the configuration's until something is.</summary>
    public static AutopilotSettings Of(StateSnapshot state, AutopilotConfig otherwise) =>
        state.AutopilotConfiguration is { } stored ? Read(stored.Value) : Of(otherwise);

    /// <summary>What is not said is zero, as Nomad reads it; a duration is a text, or a number of nanoseconds.</summary>
    /// <exception cref="JsonException">A value is of a wrong kind.</exception>
    public static AutopilotSettings Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new JsonException("an object is expected");
        return new(
            Get(nameof(CleanupDeadServers)) is { ValueKind: JsonValueKind.True },
            Number(nameof(MinQuorum)),
            Duration(nameof(ServerStabilizationTime)),
            Duration(nameof(LastContactThreshold)),
            Number(nameof(MaxTrailingLogs)));

        JsonElement? Get(string name) => json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
        int Number(string name) => Get(name) is not { } value ? 0 : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw new JsonException($"{name} must be a whole number");
        TimeSpan Duration(string name) => Get(name) switch
        {
            null => TimeSpan.Zero,
            { ValueKind: JsonValueKind.String } text when GoDuration.TryParse(text.GetString()!, out var parsed) => TimeSpan.FromTicks(parsed / TimeSpan.NanosecondsPerTick),
            { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out var nanoseconds) => TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick),
            _ => throw new JsonException($"{name} must be a duration"),
        };
    }

    public JsonObject ToJson() => new()
    {
        [nameof(CleanupDeadServers)] = CleanupDeadServers,
        [nameof(LastContactThreshold)] = GoDuration.Format(LastContactThreshold),
        [nameof(MaxTrailingLogs)] = MaxTrailingLogs,
        [nameof(MinQuorum)] = MinQuorum,
        [nameof(ServerStabilizationTime)] = GoDuration.Format(ServerStabilizationTime),
        ["EnableRedundancyZones"] = false,
        ["DisableUpgradeMigration"] = false,
        ["EnableCustomUpgrades"] = false,
    };

    public JsonElement ToElement()
    {
        using var parsed = JsonDocument.Parse(ToJson().ToJsonString());
        return parsed.RootElement.Clone();
    }
}
