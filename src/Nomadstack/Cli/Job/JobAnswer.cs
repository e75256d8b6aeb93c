// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nomadstack.Cli.Job;

/// <summary>One JSON object on standard output, built around Nomad's own JSON.</summary>
internal static class JobAnswer
{
    public static void Write(Surroundings here, Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        here.Out.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
        here.Out.Flush();
    }
}
