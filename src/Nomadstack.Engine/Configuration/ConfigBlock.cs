// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.Configuration;

/// <summary>One block of a configuration. Remembers which keys were asked for, so that those nobody asked for are refused by name.</summary>
internal sealed class ConfigBlock(JsonObject json, string path, ConfigComplaints complaints)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public string? Text(string key) => Value<string>(key, "a string");

    public bool Flag(string key, bool otherwise) => Value<bool?>(key, "true or false") ?? otherwise;

    public int Number(string key, int otherwise) => Value<int?>(key, "a whole number") ?? otherwise;

    /// <summary>Such as <c>"10s"</c>.</summary>
    public TimeSpan? Duration(string key)
    {
        if (Text(key) is not { } text) return null;
        if (GoDuration.TryParse(text, out var nanoseconds)) return TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
        complaints.Add(path + key, $"\"{text}\" is not a duration");
        return null;
    }

    public IReadOnlyList<string> Texts(string key)
    {
        if (Take(key) is not { } node) return [];
        if (node is JsonArray list && list.All(item => item is JsonValue value && value.TryGetValue<string>(out _))) return [.. list.Select(item => (string)item!)];
        complaints.Add(path + key, "a list of strings is expected");
        return [];
    }

    /// <summary>Text by text. A number is one too, as it is written.</summary>
    public IReadOnlyDictionary<string, string> Map(string key)
    {
        if (Block(key) is not { } block) return new Dictionary<string, string>();
        return block.Keys.ToDictionary(k => k, k => block.TextOrNumber(k) ?? "", StringComparer.Ordinal);
    }

    /// <summary>A block inside; HCL's JSON also writes it as a list of one.</summary>
    public ConfigBlock? Block(string key)
    {
        var node = Take(key);
        if (node is null or JsonArray { Count: 0 }) return null;
        if ((node is JsonArray { Count: 1 } list ? list[0] : node) is JsonObject inner) return new ConfigBlock(inner, $"{path}{key}.", complaints);
        complaints.Add(path + key, "a block is expected");
        return null;
    }

    /// <summary>Whatever is there, for others to judge.</summary>
    public JsonNode? Any(string key) => Take(key);

    public IReadOnlyList<string> Keys => [.. json.Select(p => p.Key)];

    /// <summary>Everything that is known has been asked for; the rest is refused.</summary>
    public void End()
    {
        foreach (var (key, _) in json)
            if (!_known.Contains(key)) complaints.Add(path + key, "the embedded engine does not know this key");
    }

    private string? TextOrNumber(string key) => json[key]?.GetValueKind() == JsonValueKind.Number ? Take(key)!.ToJsonString() : Text(key);

    private T? Value<T>(string key, string expected)
    {
        if (Take(key) is not { } node) return default;
        if (node is JsonValue value && value.TryGetValue<T>(out var found)) return found;
        complaints.Add(path + key, $"{expected} is expected");
        return default;
    }

    private JsonNode? Take(string key)
    {
        _known.Add(key);
        return json[key];
    }
}

/// <summary>Everything that is wrong with a configuration, each with its place where that is known.</summary>
/// <param name="places">Of keys, by their path.</param>
internal sealed class ConfigComplaints(IReadOnlyDictionary<string, string>? places)
{
    private readonly List<string> _all = [];

    public IReadOnlyList<string> All => _all;

    public void Add(string path, string what) => _all.Add(places?.GetValueOrDefault(path) is { } place ? $"{place}: {path}: {what}" : $"{path}: {what}");
}
