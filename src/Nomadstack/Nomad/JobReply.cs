// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>A job as Nomad sends it.</summary>
internal static class JobReply
{
    public static JobFacts? TryParse(string raw)
    {
        try
        {
            if (JsonNode.Parse(raw) is not JsonObject job) return null;
            var groups = (job["TaskGroups"] as JsonArray ?? []).OfType<JsonObject>();
            return new(
                (string?)job["ID"] ?? "",
                (string?)job["Type"] ?? "",
                (string?)job["Status"] ?? "",
                (bool?)job["Stop"] ?? false,
                (long?)job["Version"] ?? 0,
                (long?)job["JobModifyIndex"] ?? 0,
                groups.ToDictionary(g => (string?)g["Name"] ?? "", g => (int?)g["Count"] ?? 1),
                (job["Meta"] as JsonObject ?? []).ToDictionary(m => m.Key, m => (string?)m.Value ?? ""),
                raw);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            // Not a job. The caller handles that.
            return null;
        }
    }
}
