// SPDX-License-Identifier: MPL-2.0
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Api;
using Nomadstack.Timeline;

namespace Nomadstack.Explain;

/// <summary>Everything that an explanation is made of.</summary>
/// <param name="Status">What the agent says; null where it does not run.</param>
/// <param name="Timeline">What happened, as far as it is known.</param>
internal sealed record ExplainFacts(DateTimeOffset Now, NodeRecords Records, StatusDocument? Status, TimelineDocument Timeline);

/// <summary>Why a cluster is in the state it is in. <c>nomadstack explain --json</c> prints it.</summary>
/// <param name="State">The cluster's state as <c>status</c> has it, or <c>stopped</c> where this node's agent does not run.</param>
internal sealed record Explanation(int Schema, string Node, string State, IReadOnlyList<ExplainedPart> Parts)
{
    public const int CurrentSchema = 1;

    public const string Stopped = "stopped";
}

/// <param name="Topic"><c>state</c>, <c>agent</c>, <c>servers</c>, <c>cold-boot</c>, <c>operation</c>, <c>lately</c>, <c>not-known</c> or <c>next</c>.</param>
/// <param name="Text">Sentences for a person.</param>
/// <param name="Steps">What happened one after the other; empty where the text says it all.</param>
internal sealed record ExplainedPart(string Topic, string Text, IReadOnlyList<ExplainedStep> Steps);

/// <param name="Seconds">Since the first step.</param>
internal sealed record ExplainedStep([property: JsonConverter(typeof(Milliseconds))] DateTimeOffset At, double Seconds, string Node, string Text);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Explanation))]
internal sealed partial class ExplainJson : JsonSerializerContext
{
    public static ExplainJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
