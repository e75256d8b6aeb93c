// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Peers;

/// <summary>Which values a setting accepts. A setting that this release does not know accepts any value.</summary>
internal static class SettingRules
{
    private const int ShortestInterval = 60, LongestSpan = 366 * 24 * 3600;

    private static int? Seconds(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var seconds) ? seconds : null;

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
            SettingNames.SnapshotEvery => Seconds(given) is { } every && (every == 0 || every is >= ShortestInterval and <= LongestSpan) ? null : "It must be 0, or a number of seconds from 60 to a year.",
            SettingNames.SnapshotDense or SettingNames.SnapshotThin => Seconds(given) is { } span && span is >= 0 and <= LongestSpan ? null : "It must be a number of seconds, at most a year.",
            SettingNames.SnapshotTarget => given.ValueKind == JsonValueKind.String && given.GetString() is { } target && (target.Length == 0 || target.StartsWith("folder:/", StringComparison.Ordinal) || target.StartsWith("s3://", StringComparison.Ordinal)) ? null : "It must be folder:/PATH or s3://BUCKET/PREFIX.",
            SettingNames.Restored => given.ValueKind == JsonValueKind.String ? null : "It must be the mark of a restore.",
            _ when name.StartsWith("rotation.", StringComparison.Ordinal) || name.StartsWith("rotated.", StringComparison.Ordinal) || name.StartsWith(SettingNames.RecoveryEpoch(""), StringComparison.Ordinal) =>
                given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var times) && times > 0 ? null : "It must be a number above 0.",
            _ => null,
        };
}
