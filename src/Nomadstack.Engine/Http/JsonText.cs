// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>JSON from outside. What is wrong with it is said by the place and the field.</summary>
internal static class JsonText
{
    /// <summary>As deep as .NET's own reader goes.</summary>
    private const int MaxDepth = 64;

    /// <summary>Said aloud: a node without options of its own takes over those of the object it is put into.</summary>
    private static readonly JsonNodeOptions s_exactly = new() { PropertyNameCaseInsensitive = false };

    /// <exception cref="ServerException">No object, or none that two readers would read alike.</exception>
    public static JsonObject Object(ReadOnlyMemory<byte> text)
    {
        if (text.IsEmpty) throw ServerException.Invalid("EOF");
        if (!Utf8.IsValid(text.Span)) throw ServerException.Invalid($"json: {Place(text.Span, FirstInvalid(text.Span))} is not UTF-8");
        Check(text.Span);
        return JsonNode.Parse(text.Span, s_exactly) as JsonObject ?? throw ServerException.Invalid("json: an object is expected");
    }

    private static void Check(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        // For each object the names seen and the one that is being read; null and a number for each list.
        var open = new Stack<(HashSet<string>? Names, string Step)>();
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject:
                        Enter(open);
                        open.Push((new(StringComparer.Ordinal), ""));
                        break;
                    case JsonTokenType.StartArray:
                        Enter(open);
                        open.Push((null, "-1"));
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        open.Pop();
                        break;
                    case JsonTokenType.PropertyName:
                        var names = open.Pop().Names!;
                        open.Push((names, Text(ref reader, open, names)));
                        break;
                    default:
                        Enter(open);
                        if (reader.TokenType == JsonTokenType.String) Whole(ref reader, open);
                        break;
                }
            }
        }
        catch (JsonException)
        {
            var where = Place(text, (int)reader.BytesConsumed);
            if (open.Count >= MaxDepth) throw ServerException.Invalid($"json: {where} is in more than {MaxDepth} lists and objects");
            throw ServerException.Invalid($"json: {where}{(Path(open) is { Length: > 0 } path ? $", in {path}," : "")} is not JSON");
        }
    }

    private static string Text(ref Utf8JsonReader reader, Stack<(HashSet<string>? Names, string Step)> open, HashSet<string> names)
    {
        var name = Whole(ref reader, open);
        return names.Add(name) ? name : throw ServerException.Invalid($"json: {(Path(open) is { Length: > 0 } path ? path + "." : "")}{name} is there twice");
    }

    private static string Whole(ref Utf8JsonReader reader, Stack<(HashSet<string>? Names, string Step)> open)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ServerException.Invalid($"json: {(Path(open) is { Length: > 0 } path ? path : "a name")} has one half of a UTF-16 surrogate pair");
        }
    }

    /// <summary>The next value of a list has the next number.</summary>
    private static void Enter(Stack<(HashSet<string>? Names, string Step)> open)
    {
        if (!open.TryPeek(out var top) || top.Names is not null) return;
        open.Pop();
        open.Push((null, (int.Parse(top.Step, System.Globalization.CultureInfo.InvariantCulture) + 1).ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private static string Path(Stack<(HashSet<string>? Names, string Step)> open)
    {
        var path = new StringBuilder();
        foreach (var (names, step) in open.Reverse())
        {
            if (names is null) path.Append(step == "-1" ? "" : $"[{step}]");
            else if (step.Length > 0) path.Append(path.Length > 0 ? "." : "").Append(step);
        }

        return path.ToString();
    }

    private static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (at < text.Length && Rune.DecodeFromUtf8(text[at..], out _, out var read) == System.Buffers.OperationStatus.Done) at += read;
        return at;
    }

    private static string Place(ReadOnlySpan<byte> text, int at)
    {
        var before = text[..Math.Min(at, text.Length)];
        return $"line {before.Count((byte)'\n') + 1}, byte {before.Length - (before.LastIndexOf((byte)'\n') + 1) + 1}";
    }
}
