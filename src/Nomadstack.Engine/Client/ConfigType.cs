// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;

namespace Nomadstack.Engine.Client;

/// <summary>A type of HCL as schemas name it, such as <c>list(string)</c>: turns JSON into values of it, and converts where HCL does.</summary>
internal sealed record ConfigType(string Kind, ConfigType? Element = null, IReadOnlyDictionary<string, ConfigType>? Fields = null, IReadOnlyList<ConfigType>? Items = null)
{
    /// <summary>As Nomad's messages name it.</summary>
    private string Name => Kind switch
    {
        "list" or "set" or "map" => $"{Kind} of {Element!.Name}",
        _ => Kind,
    };

    /// <exception cref="FormatException">It is no type expression.</exception>
    public static ConfigType Parse(string text)
    {
        var at = 0;
        var type = Parse(text, ref at);
        return at == text.Length ? type : throw new FormatException($"\"{text}\" is no type");
    }

    /// <summary>Null, bool, string, long, double, a list or a map of these.</summary>
    /// <param name="text">What becomes of strings on the way.</param>
    /// <exception cref="FormatException">The value is of another type.</exception>
    public object? Convert(JsonElement value, Func<string, string> text)
    {
        if (value.ValueKind == JsonValueKind.Null) return null;
        switch (Kind)
        {
            case "string": return value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False ? Text(value, text) : throw Wrong();
            case "bool": return value.ValueKind is JsonValueKind.Array or JsonValueKind.Object or JsonValueKind.Number ? throw Wrong() : Text(value, text) switch { "true" or "1" => true, "false" or "0" => false, _ => throw Wrong() };
            case "number": return value.ValueKind is JsonValueKind.Number or JsonValueKind.String ? Number(Text(value, text)) : throw Wrong();
            case "list" or "set":
                return value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(v => Element!.Convert(v, text)).ToList() : throw Wrong();
            case "tuple":
                var items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToList() : throw Wrong();
                return items.Count == Items!.Count ? items.Select((v, i) => Items[i].Convert(v, text)).ToList() : throw Wrong();
            case "map":
                return Members(value).ToDictionary(m => m.Name, m => Element!.Convert(m.Value, text), StringComparer.Ordinal);
            case "object":
                var given = Members(value).ToDictionary(m => m.Name, m => m.Value, StringComparer.Ordinal);
                return Fields!.ToDictionary(f => f.Key, f => given.TryGetValue(f.Key, out var v) ? f.Value.Convert(v, text) : null, StringComparer.Ordinal);
            default:
                return Any(value, text);
        }
    }

    private static object? Any(JsonElement value, Func<string, string> text) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => text(value.GetString()!),
        JsonValueKind.Number => Number(value.GetRawText()),
        JsonValueKind.Array => value.EnumerateArray().Select(v => Any(v, text)).ToList(),
        _ => value.EnumerateObject().ToDictionary(m => m.Name, m => Any(m.Value, text), StringComparer.Ordinal),
    };

    private static string Text(JsonElement value, Func<string, string> text) => value.ValueKind == JsonValueKind.String ? text(value.GetString()!) : value.GetRawText();

    private static object Number(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number == Math.Floor(number) && Math.Abs(number) < long.MaxValue ? (long)number : number
        : throw new FormatException("number required");

    /// <summary>HCL gives a block of attributes as a list that holds one object.</summary>
    private IEnumerable<JsonProperty> Members(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.EnumerateObject()
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Object) ? value.EnumerateArray().SelectMany(v => v.EnumerateObject())
        : throw Wrong();

    private FormatException Wrong() => new($"{Name} required");

    private static ConfigType Parse(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && char.IsAsciiLetter(text[at])) at++;
        var kind = text[start..at];
        switch (kind)
        {
            case "string" or "number" or "bool" or "any":
                return new(kind);
            case "list" or "set" or "map":
                Expect(text, ref at, '(');
                var element = Parse(text, ref at);
                Expect(text, ref at, ')');
                return new(kind, element);
            case "tuple":
                Expect(text, ref at, '(');
                Expect(text, ref at, '[');
                var items = new List<ConfigType>();
                while (!TryTake(text, ref at, ']'))
                {
                    items.Add(Parse(text, ref at));
                    TryTake(text, ref at, ',');
                }

                Expect(text, ref at, ')');
                return new(kind, Items: items);
            case "object":
                Expect(text, ref at, '(');
                Expect(text, ref at, '{');
                var fields = new Dictionary<string, ConfigType>(StringComparer.Ordinal);
                while (!TryTake(text, ref at, '}'))
                {
                    var name = at;
                    while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '_' or '-')) at++;
                    var key = text[name..at];
                    Expect(text, ref at, '=');
                    fields[key] = Parse(text, ref at);
                    TryTake(text, ref at, ',');
                }

                Expect(text, ref at, ')');
                return new(kind, Fields: fields);
            default:
                throw new FormatException($"\"{text}\" is no type");
        }
    }

    private static bool TryTake(string text, ref int at, char wanted)
    {
        Skip(text, ref at);
        if (at >= text.Length || text[at] != wanted) return false;
        at++;
        Skip(text, ref at);
        return true;
    }

    private static void Expect(string text, ref int at, char wanted)
    {
        if (!TryTake(text, ref at, wanted)) throw new FormatException($"\"{text}\" is no type");
    }

    private static void Skip(string text, ref int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
    }
}
