// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Jobs.Hcl;

/// <summary>What a value of HCL becomes in JSON, with the conversions HCL allows: numbers and flags to text and back.</summary>
internal static class HclValues
{
    /// <summary>A text, number or flag; null for the literal <c>null</c>.</summary>
    /// <exception cref="HclSyntaxException">For a list or a map.</exception>
    public static object? Scalar(HclExpression expression) => expression switch
    {
        HclLiteral literal => literal.Value,
        HclReference reference => reference.Kept,
        HclTemplate template => Joined(template),
        _ => throw Unsuitable(expression, "a single value is required"),
    };

    public static string? Text(HclExpression expression) => Scalar(expression) switch
    {
        null => null,
        string text => text,
        bool flag => flag ? "true" : "false",
        decimal number => Plain(number),
        var other => throw new InvalidOperationException($"{other.GetType()} is no HCL value"),
    };

    public static long? Number(HclExpression expression)
    {
        switch (Scalar(expression))
        {
            case null:
                return null;
            case decimal number when IsWhole(number):
                return (long)number;
            case string text when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed):
                return parsed;
            default:
                throw Unsuitable(expression, "a whole number is required");
        }
    }

    public static bool? Flag(HclExpression expression) => Scalar(expression) switch
    {
        null => null,
        bool flag => flag,
        "true" => true,
        "false" => false,
        _ => throw Unsuitable(expression, "a bool is required"),
    };

    /// <summary>Nanoseconds: of a text with a unit, or a bare number of them.</summary>
    public static long? Duration(HclExpression expression)
    {
        switch (Scalar(expression))
        {
            case null:
                return null;
            case decimal number when IsWhole(number):
                return (long)number;
            case string text when GoDuration.TryParse(text, out var nanoseconds):
                return nanoseconds;
            case string text:
                throw new HclSyntaxException(expression.Range, "Unsuitable value type", $"Unsuitable duration value: time: invalid duration \"{text}\"");
            default:
                throw Unsuitable(expression, "a duration is required");
        }
    }

    public static JsonArray? Texts(HclExpression expression) => expression switch
    {
        HclLiteral { Value: null } => null,
        HclTuple tuple => new JsonArray([.. tuple.Items.Select(item => (JsonNode?)Text(item))]),
        _ => throw Unsuitable(expression, "a list of string is required"),
    };

    public static JsonObject? Map(HclExpression expression, Func<HclExpression, JsonNode?> value)
    {
        if (expression is HclLiteral { Value: null }) return null;
        if (expression is not HclObject map) throw Unsuitable(expression, "a map is required");
        var result = new JsonObject();
        foreach (var (key, item) in map.Items) result[Text(key) ?? throw Unsuitable(key, "a key is required")] = value(item);
        return result;
    }

    /// <summary>Any value, for a driver to judge.</summary>
    public static JsonNode? Any(HclExpression expression) => expression switch
    {
        HclTuple tuple => new JsonArray([.. tuple.Items.Select(Any)]),
        HclObject => Map(expression, Any),
        _ => Scalar(expression) switch
        {
            null => null,
            bool flag => flag,
            decimal number when IsWhole(number) => (long)number,
            decimal number => (double)number,
            var text => (string)text,
        },
    };

    private static string Joined(HclTemplate template)
    {
        var text = new StringBuilder();
        foreach (var part in template.Parts) text.Append(Text(part) ?? throw Unsuitable(part, "null cannot be part of a text"));
        return text.ToString();
    }

    private static bool IsWhole(decimal number) => number == decimal.Truncate(number) && number is >= long.MinValue and <= long.MaxValue;

    private static string Plain(decimal number) => number.ToString("0.############################", CultureInfo.InvariantCulture);

    private static HclSyntaxException Unsuitable(HclExpression expression, string required) => new(expression.Range, "Unsuitable value type", $"Unsuitable value: {required}");
}
