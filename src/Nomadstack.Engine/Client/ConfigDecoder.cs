// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Engine.Client;

/// <summary>Reads the configuration of a plugin or a task after the schema its driver gave. All that is wrong is collected, in Nomad's words.</summary>
internal sealed class ConfigDecoder
{
    private readonly Func<string, string> _text;
    private readonly List<string> _errors = [];

    private ConfigDecoder(Func<string, string> text) => _text = text;

    /// <param name="text">What becomes of strings; it may throw a <see cref="FormatException"/>.</param>
    /// <exception cref="TaskConfigException">All complaints.</exception>
    public static IReadOnlyDictionary<string, object?> Decode(JsonElement? config, Spec schema, Func<string, string> text)
    {
        var decoder = new ConfigDecoder(text);
        var body = Body(config);
        decoder.RefuseUnknown(body, schema);
        var value = decoder.Decode(schema, body) as IReadOnlyDictionary<string, object?>;
        if (decoder._errors.Count > 0) throw new TaskConfigException(decoder._errors);
        return value ?? new Dictionary<string, object?>();
    }

    private static Dictionary<string, JsonElement> Body(JsonElement? config) =>
        config is { ValueKind: JsonValueKind.Object } given ? given.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal) : [];

    private object? Decode(Spec spec, IReadOnlyDictionary<string, JsonElement> body)
    {
        switch (spec.BlockCase)
        {
            case Spec.BlockOneofCase.Object:
                // Sorted, as Nomad's encoder writes them.
                return new SortedDictionary<string, object?>(spec.Object.Attributes.ToDictionary(a => a.Key, a => Decode(a.Value, body)), StringComparer.Ordinal);
            case Spec.BlockOneofCase.Array:
                return spec.Array.Values.Select(v => Decode(v, body)).ToList();
            case Spec.BlockOneofCase.Attr:
                return Attribute(spec.Attr.Name, spec.Attr.Type, spec.Attr.Required, body);
            case Spec.BlockOneofCase.BlockAttrs:
                return Attribute(spec.BlockAttrs.Name, $"map({spec.BlockAttrs.Type})", spec.BlockAttrs.Required, body);
            case Spec.BlockOneofCase.Default:
                return Decode(spec.Default.Primary, body) ?? Decode(spec.Default.Default_, body);
            case Spec.BlockOneofCase.Literal:
                return Literal(spec.Literal.Value);
            case Spec.BlockOneofCase.BlockValue:
                var one = Blocks(spec.BlockValue.Name, body);
                if (one.Count > 1) _errors.Add($"Duplicate {spec.BlockValue.Name} block: Only one block of type \"{spec.BlockValue.Name}\" is allowed.");
                if (one.Count == 0 && spec.BlockValue.Required) _errors.Add($"Missing {spec.BlockValue.Name} block: A block of type \"{spec.BlockValue.Name}\" is required here.");
                return one.Count == 1 ? Nested(spec.BlockValue.Nested, one[0]) : null;
            case Spec.BlockOneofCase.BlockList:
                return Several(spec.BlockList.Name, spec.BlockList.MinItems, spec.BlockList.MaxItems, spec.BlockList.Nested, body);
            case Spec.BlockOneofCase.BlockSet:
                return Several(spec.BlockSet.Name, spec.BlockSet.MinItems, spec.BlockSet.MaxItems, spec.BlockSet.Nested, body);
            case Spec.BlockOneofCase.BlockMap:
                return Labelled(spec.BlockMap, body);
            default:
                return null;
        }
    }

    private object? Attribute(string name, string type, bool required, IReadOnlyDictionary<string, JsonElement> body)
    {
        if (!body.TryGetValue(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            if (required) _errors.Add($"Missing required argument: The argument \"{name}\" is required, but no definition was found.");
            return null;
        }

        ConfigType wanted;
        try
        {
            wanted = ConfigType.Parse(type);
        }
        catch (FormatException e)
        {
            _errors.Add($"Invalid schema: {e.Message}");
            return null;
        }

        try
        {
            return wanted.Convert(value, _text);
        }
        catch (FormatException e)
        {
            // What a name does not lead to says so itself.
            _errors.Add(e.Message.EndsWith(" required", StringComparison.Ordinal) ? $"Incorrect attribute value type: Inappropriate value for attribute \"{name}\": {e.Message}." : e.Message);
            return null;
        }
    }

    private List<object?> Several(string name, ulong least, ulong most, Spec nested, IReadOnlyDictionary<string, JsonElement> body)
    {
        var blocks = Blocks(name, body);
        if ((ulong)blocks.Count < least) _errors.Add($"Insufficient {name} blocks: At least {least} \"{name}\" blocks are required.");
        if (most > 0 && (ulong)blocks.Count > most) _errors.Add($"Too many {name} blocks: No more than {most} \"{name}\" blocks are allowed.");
        return [.. blocks.Select(b => Nested(nested, b))];
    }

    private Dictionary<string, object?> Labelled(BlockMap map, IReadOnlyDictionary<string, JsonElement> body)
    {
        if (map.Labels.Count > 1) _errors.Add($"Invalid schema: the embedded engine knows one label for a block, \"{map.Name}\" has {map.Labels.Count}.");
        var labelled = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (label, value) in Blocks(map.Name, body).SelectMany(b => Body(b)))
            foreach (var block in Objects(value)) labelled[label] = Nested(map.Nested, block);
        return labelled;
    }

    private object? Nested(Spec nested, JsonElement block)
    {
        var body = Body(block);
        RefuseUnknown(body, nested);
        return Decode(nested, body);
    }

    private static List<JsonElement> Blocks(string name, IReadOnlyDictionary<string, JsonElement> body) => body.TryGetValue(name, out var value) ? [.. Objects(value)] : [];

    private static IEnumerable<JsonElement> Objects(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.Object) : value.ValueKind == JsonValueKind.Object ? [value] : [];

    private void RefuseUnknown(IReadOnlyDictionary<string, JsonElement> body, Spec spec)
    {
        var known = Names(spec).ToHashSet(StringComparer.Ordinal);
        foreach (var name in body.Keys.Where(k => !known.Contains(k)).Order(StringComparer.Ordinal)) _errors.Add($"Invalid label: No argument or block type is named \"{name}\".");
    }

    private static IEnumerable<string> Names(Spec spec) => spec.BlockCase switch
    {
        Spec.BlockOneofCase.Object => spec.Object.Attributes.Values.SelectMany(Names),
        Spec.BlockOneofCase.Array => spec.Array.Values.SelectMany(Names),
        Spec.BlockOneofCase.Attr => [spec.Attr.Name],
        Spec.BlockOneofCase.BlockAttrs => [spec.BlockAttrs.Name],
        Spec.BlockOneofCase.BlockValue => [spec.BlockValue.Name],
        Spec.BlockOneofCase.BlockList => [spec.BlockList.Name],
        Spec.BlockOneofCase.BlockSet => [spec.BlockSet.Name],
        Spec.BlockOneofCase.BlockMap => [spec.BlockMap.Name],
        Spec.BlockOneofCase.Default => Names(spec.Default.Primary).Concat(Names(spec.Default.Default_)),
        _ => [],
    };

    /// <summary>HCL's text of a constant; lists and maps of constants look like JSON.</summary>
    private object? Literal(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return new ConfigType("any").Convert(json.RootElement, t => t);
        }
        catch (JsonException)
        {
            _errors.Add($"Invalid schema: the embedded engine does not know the default {text.ToString(CultureInfo.InvariantCulture)}.");
            return null;
        }
    }
}

/// <summary>A configuration that does not fit its schema.</summary>
internal sealed class TaskConfigException(IReadOnlyList<string> complaints) : Exception(Text(complaints))
{
    /// <summary>As HashiCorp's library joins several errors.</summary>
    private static string Text(IReadOnlyList<string> complaints) =>
        $"{complaints.Count + 1} errors occurred:\n\t* failed to parse config: \n{string.Concat(complaints.Select(c => $"\t* {c}\n"))}\n";
}
