// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Names of the settings this release reads. A newer release may have more; they are kept and passed on.</summary>
internal static class SettingNames
{
    /// <summary>Most servers of each product: 1, 3 or 5.</summary>
    public const string MaxServers = "servers.max";

    /// <summary>What the stack consists of, by name.</summary>
    public const string Products = "products";

    /// <summary>What provides Nomad: <see cref="Programs.EngineKind"/>.</summary>
    public const string Engine = "engine";
}

/// <summary>
/// The settings of a cluster at one moment. A setting that nobody has written has its first value, if the cluster was made with one:
/// version 0, which any writing replaces, lowering included.
/// </summary>
internal sealed class ClusterSettings(ClusterDocument document)
{
    public int MaxServers => Number(SettingNames.MaxServers) ?? document.FirstMaxServers;

    public string Engine => Text(SettingNames.Engine) ?? document.FirstEngine;

    public IReadOnlyList<string> Products => List(SettingNames.Products) ?? [.. ProductTable.Known.Stack.Where(p => p.Schedules || (p.InFirstRelease && document.FirstWhole)).Select(p => p.Name)];

    /// <summary>Names of all settings that were written and not deleted, in order.</summary>
    public IReadOnlyList<string> Names => [.. document.Registers.Values.Where(s => !s.Deleted).Select(s => s.Name).Order(StringComparer.Ordinal)];

    /// <summary>What to give to a compare-and-set; 0 when nobody has written it. A deletion is a version, too.</summary>
    public long Version(string name) => document.Registers.GetValueOrDefault(name)?.Version ?? 0;

    /// <summary>The value that was written last, or null when there is none or it was deleted.</summary>
    public JsonElement? Value(string name) => document.Registers.GetValueOrDefault(name) is { Deleted: false } setting ? setting.Value : null;

    /// <summary>The value as text; null when it is none.</summary>
    public string? Text(string name) => Value(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>The value as a whole number; null when it is none.</summary>
    public int? Number(string name) => Value(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    /// <summary>The value as a list of texts; null when it is none.</summary>
    public IReadOnlyList<string>? List(string name) =>
        Value(name) is { ValueKind: JsonValueKind.Array } value && value.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String) ? [.. value.EnumerateArray().Select(e => e.GetString()!)] : null;
}
