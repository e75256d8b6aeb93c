// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Http;

/// <summary>Go takes the names of fields in any case, and so do callers of Nomad's API. Keys of maps are data, and stay as they are.</summary>
internal static class AnyCase
{
    private static readonly JsonNodeOptions s_anyCase = new() { PropertyNameCaseInsensitive = true };

    /// <summary>The body of a call and the objects right in it; <paramref name="body"/> is used up. Of names that mean the same field the last counts.</summary>
    public static JsonObject Of(JsonObject body)
    {
        var read = Fields(body);
        foreach (var (name, value) in read.ToList())
            if (value is JsonObject inner && !string.Equals(name, "Meta", StringComparison.OrdinalIgnoreCase)) read[name] = Fields(inner);
        return read;
    }

    private static JsonObject Fields(JsonObject from)
    {
        var to = new JsonObject(s_anyCase);
        foreach (var (name, value) in from.ToList())
        {
            from.Remove(name);
            to[name] = value;
        }

        return to;
    }
}
