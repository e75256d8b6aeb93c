// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nomadstack.HashiCorp;

/// <summary>Configuration files as text: the same settings always give the same bytes, so that a change can be detected.</summary>
internal static class ConfigText
{
    // Both products' parsers read plain characters. Escapes such as \u002B only make the file hard to read.
    private static readonly JsonWriterOptions s_indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(JsonObject configuration)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, s_indented)) configuration.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    public static JsonArray List(IEnumerable<string> items) => [.. items.Select(i => (JsonNode?)JsonValue.Create(i))];

    /// <summary>Address and port, an IPv6 address in brackets.</summary>
    public static string Endpoint(string address, int port) => new IPEndPoint(IPAddress.Parse(address), port).ToString();
}
