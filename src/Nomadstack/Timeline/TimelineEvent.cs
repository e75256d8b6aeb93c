// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Timeline;

/// <summary>Something that happened on a node.</summary>
/// <param name="At">By the node's own clock, in UTC, to the millisecond.</param>
/// <param name="Boot">The id of the machine's boot: two events of one node with different ids have a power cut or a restart between them.</param>
/// <param name="Number">Counts the events of this node and goes on over restarts. A step of the clock changes the times, never this order.</param>
/// <param name="Node">The node's name.</param>
/// <param name="Kind">Dotted, from <see cref="EventKinds"/>: <c>gate.closed</c>.</param>
/// <param name="Text">A sentence for a person.</param>
internal sealed record TimelineEvent(
    [property: JsonConverter(typeof(Milliseconds))] DateTimeOffset At, string Boot, long Number, string Node, string Kind, string Text)
{
    /// <summary>What the sentence says, for programs.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>The value of a field; empty where the event has none.</summary>
    public string Field(string name) => Fields.GetValueOrDefault(name, "");
}

/// <summary>A time in a form of one width, so that two times compare as their texts do: <c>2026-03-01T10:00:00.250Z</c>.</summary>
internal sealed class Milliseconds : JsonConverter<DateTimeOffset>
{
    private const string Form = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static string Show(DateTimeOffset at) => at.UtcDateTime.ToString(Form, CultureInfo.InvariantCulture);

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(Show(value));
}

/// <summary>The timeline as it is written: one event a line. Peers and commands exchange the same names.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(TimelineEvent))]
[JsonSerializable(typeof(TimelineQuery))]
[JsonSerializable(typeof(TimelinePart))]
[JsonSerializable(typeof(TimelineDocument))]
internal sealed partial class TimelineJson : JsonSerializerContext
{
    /// <summary>Indented, for people who read <c>--json</c>.</summary>
    public static TimelineJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
