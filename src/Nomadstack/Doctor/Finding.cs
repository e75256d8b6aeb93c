// SPDX-License-Identifier: MPL-2.0
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Doctor;

/// <summary>The result of one check.</summary>
/// <param name="Check">What was checked, in a word or two.</param>
/// <param name="State"><c>ok</c>, <c>warning</c> (works now, may fail later) or <c>problem</c> (an agent would not start or would not work).</param>
/// <param name="Code">The code of the problem that an agent would report; empty if there is none.</param>
internal sealed record Finding(string Check, string State, string What, string Why = "", string Fix = "", string Code = "")
{
    public const string Fine = "ok", Warns = "warning", Fails = "problem";

    public static Finding Ok(string check, string what) => new(check, Fine, what);

    public static Finding Warning(string check, Problem problem) => new(check, Warns, problem.What, problem.Why, problem.Fix, problem.Code);

    public static Finding Problem(string check, Problem problem) => new(check, Fails, problem.What, problem.Why, problem.Fix, problem.Code);
}

/// <summary>What <c>doctor --json</c> prints.</summary>
/// <param name="Healthy">No check is a problem.</param>
internal sealed record DoctorDocument(int Schema, string DataDir, bool Healthy, IReadOnlyList<Finding> Checks);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DoctorDocument))]
internal sealed partial class DoctorJson : JsonSerializerContext
{
    public static DoctorJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
