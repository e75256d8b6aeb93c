// SPDX-License-Identifier: MPL-2.0
using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Nomadstack.Peers;

/// <summary>
/// The only form of JSON for signatures and digests: UTF-8, no white space, members in the ordinal order of their
/// names, numbers as they were written. In texts, only <c>"</c>, <c>\</c> and characters below space are escaped (the last as <c>\u00</c> and two
/// lower-case hex digits). An agent that passes JSON on may indent and escape it in another way.
/// </summary>
internal static class CanonicalJson
{
    private const int MaxDepth = 12;

    /// <param name="without">A member of the outermost object to leave out.</param>
    public static byte[] Of(JsonElement element, string? without = null)
    {
        var output = new ArrayBufferWriter<byte>(512);
        Write(output, element, without);
        return output.WrittenSpan.ToArray();
    }

    /// <inheritdoc cref="Of(JsonElement, string?)"/>
    public static byte[] Of(ReadOnlyMemory<byte> json, string? without = null)
    {
        using var document = JsonDocument.Parse(json);
        return Of(document.RootElement, without);
    }

    /// <summary>Why JSON has no such form, or null: two members with one name, broken text, or too many levels.</summary>
    public static string? Complaint(JsonElement element, string at = "", int depth = 0)
    {
        if (depth > MaxDepth) return $"{at} is nested too deeply";
        try
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    var names = new HashSet<string>(StringComparer.Ordinal);
                    foreach (var member in element.EnumerateObject())
                    {
                        var path = at.Length == 0 ? member.Name : $"{at}.{member.Name}";
                        if (!names.Add(member.Name)) return $"{path} appears twice";
                        if (Complaint(member.Value, path, depth + 1) is { } complaint) return complaint;
                    }

                    return null;
                case JsonValueKind.Array:
                    var index = 0;
                    foreach (var item in element.EnumerateArray())
                        if (Complaint(item, $"{at}[{index++}]", depth + 1) is { } complaint) return complaint;
                    return null;
                case JsonValueKind.String:
                    element.GetString();
                    return null;
                default:
                    return null;
            }
        }
        catch (InvalidOperationException)
        {
            // The reader throws this for half a surrogate pair and for bytes that are not UTF-8.
            return $"{(at.Length == 0 ? "it" : at)} contains broken text";
        }
    }

    private static void Write(ArrayBufferWriter<byte> output, JsonElement element, string? without)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var first = true;
                output.Write("{"u8);
                foreach (var member in element.EnumerateObject().Where(m => m.Name != without).OrderBy(m => m.Name, StringComparer.Ordinal))
                {
                    if (!first) output.Write(","u8);
                    first = false;
                    WriteText(output, member.Name);
                    output.Write(":"u8);
                    Write(output, member.Value, null);
                }

                output.Write("}"u8);
                break;
            case JsonValueKind.Array:
                var second = false;
                output.Write("["u8);
                foreach (var item in element.EnumerateArray())
                {
                    if (second) output.Write(","u8);
                    second = true;
                    Write(output, item, null);
                }

                output.Write("]"u8);
                break;
            case JsonValueKind.String:
                WriteText(output, element.GetString()!);
                break;
            default:
                output.Write(Encoding.UTF8.GetBytes(element.GetRawText()));
                break;
        }
    }

    private static void WriteText(ArrayBufferWriter<byte> output, string text)
    {
        var escaped = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
        {
            if (c is '"' or '\\') escaped.Append('\\').Append(c);
            else if (c < ' ') escaped.Append("\\u00").Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
            else escaped.Append(c);
        }

        output.Write(Encoding.UTF8.GetBytes(escaped.Append('"').ToString()));
    }
}
