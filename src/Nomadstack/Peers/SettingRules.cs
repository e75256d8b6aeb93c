// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Peers;

/// <summary>Which values a setting accepts. A setting that this release does not know accepts any value.</summary>
internal static class SettingRules
{
    /// <summary>Why the value cannot be written, or null. Deleting (no value) is always possible.</summary>
    public static string? Complaint(string name, JsonElement? value) =>
        !MembershipRules.IsSettingName(name) ? "A name has at most 64 lower-case letters, digits, dots and dashes, and begins with a letter."
        : value is not { } given ? null
        : MembershipRules.ValueComplaint(given) is { } complaint ? $"Its {complaint}."
        : name switch
        {
            SettingNames.MaxServers => given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var servers) && servers is 1 or 3 or 5 ? null : "It must be 1, 3 or 5.",
            SettingNames.Engine => given.ValueKind == JsonValueKind.String ? null : "It must be the name of an engine.",
            SettingNames.Products => given.ValueKind == JsonValueKind.Array && given.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String) ? null : "It must be a list of names.",
            SettingNames.SecurityPhase => given.ValueKind == JsonValueKind.String && given.GetString() is SettingNames.Plain or SettingNames.Preparing or SettingNames.Closing or SettingNames.Secure ? null : $"It must be {SettingNames.Plain}, {SettingNames.Preparing}, {SettingNames.Closing} or {SettingNames.Secure}.",
            _ when name.StartsWith("rotation.", StringComparison.Ordinal) || name.StartsWith("rotated.", StringComparison.Ordinal) =>
                given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var times) && times > 0 ? null : "It must be a number above 0.",
            _ => null,
        };
}
