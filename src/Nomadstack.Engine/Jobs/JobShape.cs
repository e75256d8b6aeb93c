// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Jobs;

/// <summary>
/// Brings a client's JSON into the one shape we go on with: every field under its own name, null or zero where the client said nothing.
/// A field that this engine does not know passes only when it asks for nothing; otherwise it is refused by its path. An empty block asks for something:
/// whoever writes <c>identity {}</c> gets an identity from Nomad.
/// </summary>
internal sealed class JobShape
{
    /// <summary>Short of the longest wait of a .NET timer, which is 2^32 - 2 milliseconds.</summary>
    private static readonly TimeSpan s_longestWait = TimeSpan.FromDays(49);

    /// <summary>Of one job, all kinds together. With every field that a default fills a block takes some 8 KB on its way, and so many 40 MB.</summary>
    public const int MaxBlocks = 5000;

    private readonly List<JobComplaint> _complaints = [];
    private int _blocks;

    private JobShape() { }

    public static (JsonObject Shaped, IReadOnlyList<JobComplaint> Complaints) Of(JsonObject client, JobBlock schema)
    {
        var shape = new JobShape();
        return (shape.Object(client, schema, ""), shape._complaints);
    }

    private JsonObject Object(JsonObject client, JobBlock schema, string path)
    {
        var result = new JsonObject();
        if (++_blocks > MaxBlocks)
        {
            if (_blocks == MaxBlocks + 1) Complain(path, $"comes after {MaxBlocks} other blocks, which is all that a job may have in the embedded engine");
            return result;
        }

        foreach (var field in schema.Fields.Where(f => !f.Newer)) result[field.Json] = field.WhenAbsent();
        foreach (var (name, value) in client)
        {
            var at = path.Length > 0 ? $"{path}.{name}" : name;
            var field = schema.ByJson(name);
            if (field is null)
            {
                if (value is JsonObject || !AsksForNothing(value, [])) Complain(at, "is not known to the embedded engine");
            }
            else if (field.Kind == FieldKind.Refused)
            {
                if ((value is JsonObject && !field.FilledIn) || !AsksForNothing(value, field.Harmless))
                    Complain(at, "is something that HashiCorp's Nomad does and the embedded engine does not");
            }
            else if (value is not null)
            {
                result[field.Json] = Value(value, field, at);
            }
        }

        return result;
    }

    private JsonNode? Value(JsonNode value, JobField field, string at)
    {
        switch (field.Kind)
        {
            case FieldKind.Server or FieldKind.Any:
            case FieldKind.Config when value is JsonObject:
            case FieldKind.Text when value.GetValueKind() == JsonValueKind.String:
            case FieldKind.Flag when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False:
            case FieldKind.Number when IsWhole(value):
            case FieldKind.Texts when value is JsonArray texts && texts.All(IsText):
            case FieldKind.Map when value is JsonObject map && map.All(entry => IsText(entry.Value)):
                return value.DeepClone();
            case FieldKind.Duration when IsWhole(value):
                // An interval is compared with and never waited for.
                if ((long)value > s_longestWait.Ticks * TimeSpan.NanosecondsPerTick && field.Json != "Interval")
                    Complain(at, $"is longer than {s_longestWait.TotalDays} days, the longest wait of the embedded engine");
                return value.DeepClone();
            case FieldKind.Block when value is JsonObject block:
                return Object(block, field.Of!, at);
            case FieldKind.Blocks or FieldKind.Constraints or FieldKind.Ports when value is JsonArray blocks:
                return Objects(blocks, field.Of!, at);
            default:
                Complain(at, $"should be {Described(field.Kind)}");
                return field.WhenAbsent();
        }
    }

    private JsonArray Objects(JsonArray blocks, JobBlock schema, string at)
    {
        var result = new JsonArray();
        for (var i = 0; i < blocks.Count; i++)
        {
            if (blocks[i] is JsonObject block) result.Add((JsonNode)Object(block, schema, $"{at}[{i}]"));
            else Complain($"{at}[{i}]", "should be an object");
        }

        return result;
    }

    /// <summary>Go's zero values: what a client sends that fills in every field it knows.</summary>
    internal static bool AsksForNothing(JsonNode? value, IReadOnlyList<string> harmless) => value switch
    {
        null => true,
        JsonArray list => list.Count == 0,
        JsonObject block => block.All(entry => AsksForNothing(entry.Value, harmless)),
        _ => value.GetValueKind() switch
        {
            JsonValueKind.False => true,
            JsonValueKind.True => harmless.Contains("true"),
            JsonValueKind.String => value.GetValue<string>() is var text && (text.Length == 0 || harmless.Contains(text)),
            JsonValueKind.Number => value.ToJsonString() is "0" or "0.0",
            _ => false,
        },
    };

    private static bool IsWhole(JsonNode value) =>
        value is JsonValue number && number.TryGetValue<JsonElement>(out var element)
            ? element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out _)
            : value.GetValueKind() == JsonValueKind.Number;

    private static bool IsText(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String;

    private static string Described(FieldKind kind) => kind switch
    {
        FieldKind.Text => "a string",
        FieldKind.Number => "a whole number",
        FieldKind.Flag => "true or false",
        FieldKind.Duration => "a whole number of nanoseconds",
        FieldKind.Texts => "a list of strings",
        FieldKind.Map => "a map of strings",
        FieldKind.Block or FieldKind.Config => "an object",
        _ => "a list of objects",
    };

    private void Complain(string at, string what) => _complaints.Add(new JobComplaint(at, what));
}
