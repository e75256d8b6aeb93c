// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>Every field of a job, with nothing, with null and with values of another kind.</summary>
public sealed class EveryFieldTests
{
    private static readonly string[] s_values = ["\"x\"", "5", "1.5", "1e300", "true", "[]", "{}", "[null]", "[5]", "[\"x\"]", "[{}]", "{\"a\":5}", "{\"a\":null}", "{\"a\":[\"x\"]}"];

    [Fact]
    public void AValueOfAnotherKindIsRefusedByItsPath()
    {
        var fields = Fields(JobSchema.Job, []).ToList();
        fields.Count.ShouldBeGreaterThan(130);
        foreach (var (path, field) in fields)
        {
            foreach (var value in s_values.Where(v => !Fits(field, v)))
                Refusal(path, value).ShouldContain(c => c.Where == Shown(path), $"{Shown(path)} = {value}");
        }
    }

    [Fact]
    public void NullAndAbsenceAreNoMistakeOrOneThatIsNamed()
    {
        foreach (var (path, field) in Fields(JobSchema.Job, []))
        {
            var withNull = Read(path, "null");
            if (withNull is not JobReading.Refused refused) continue;
            // What the job lacks by it is said in Nomad's words, and not by a place that nobody wrote to.
            refused.Complaints.ShouldAllBe(c => c.Where.Length == 0, $"{Shown(path)} {field.Kind}");
        }
    }

    [Fact]
    public void AnEmptyBlockThatTheEngineDoesNotKnowIsRefused()
    {
        foreach (var (path, field) in Fields(JobSchema.Job, []).Where(f => f.Field is { Kind: FieldKind.Refused, FilledIn: false }))
            Refusal(path, "{}").ShouldContain(c => c.Where == Shown(path) && c.What.Contains("HashiCorp's Nomad does"), Shown(path));
    }

    [Theory]
    [InlineData("{\"ID\":\"a\"}", "Missing job task groups")]
    [InlineData("{\"ID\":\"a\",\"TaskGroups\":null}", "Missing job task groups")]
    [InlineData("{\"ID\":\"a\",\"TaskGroups\":[null]}", "TaskGroups[0]: should be an object")]
    [InlineData("{\"ID\":\"a\",\"TaskGroups\":[{\"Name\":\"g\"}]}", "Missing tasks for task group")]
    [InlineData("{\"ID\":\"a\",\"TaskGroups\":[{\"Name\":\"g\",\"Tasks\":null}]}", "Missing tasks for task group")]
    [InlineData("{\"ID\":\"a\",\"Datacenters\":[null]}", "Datacenters: should be a list of strings")]
    public void WhatMustBeThereIsMissedByName(string job, string complaint) =>
        JobReader.Read((JsonObject)JsonNode.Parse(job)!).ShouldBeOfType<JobReading.Refused>().Text.ShouldContain(complaint);

    [Theory]
    [InlineData("")]
    [InlineData(",\"Datacenters\":null")]
    [InlineData(",\"Datacenters\":[]")]
    public void AJobWithoutDatacentersRunsInAll(string field) =>
        JobReader.Read(Minimal(field)).ShouldBeOfType<JobReading.Read>().Job.Datacenters.ShouldBe(["*"]);

    [Fact]
    public void AllRefusedBlocksOfAFileAreNamedAtOnceWithTheirLines()
    {
        // The blocks that `nomad job init` of 1.1 to 2.0 writes and this engine does not have.
        const string file = """
            job "example" {
              ui {
                description = "x"
              }
              group "cache" {
                service {
                  name = "redis-cache"
                  provider = "nomad"
                }
                task "redis" {
                  driver = "docker"
                  shutdown_delay = "5s"
                  identity {
                    env = true
                  }
                }
              }
            }
            """;
        var text = HclJob.Parse(file).ShouldBeOfType<HclReading.Refused>().Text;
        foreach (var (line, name) in new[] { (2, "ui"), (6, "service"), (12, "shutdown_delay"), (13, "identity") })
            text.ShouldContain($"input.hcl:{line},");
        text.Split('\n').Length.ShouldBe(4);
    }

    [Fact]
    public void AllRefusedFieldsOfAJobAreNamedAtOnceWithTheirPaths()
    {
        var job = Minimal(",\"UI\":{\"Description\":\"x\"}");
        var group = job["TaskGroups"]![0]!;
        group["Services"] = new JsonArray(new JsonObject { ["Name"] = "web", ["Connect"] = new JsonObject() });
        group["Tasks"]![0]!["Identity"] = new JsonObject();
        group["Tasks"]![0]!["ShutdownDelay"] = 5_000_000_000;

        JobReader.Read(job).ShouldBeOfType<JobReading.Refused>().Complaints.Select(c => c.Where)
            .ShouldBe(["TaskGroups[0].Tasks[0].Identity", "TaskGroups[0].Tasks[0].ShutdownDelay", "TaskGroups[0].Services", "UI"], ignoreOrder: true);
    }

    private static IReadOnlyList<JobComplaint> Refusal(string[] path, string value) => Read(path, value).ShouldBeOfType<JobReading.Refused>($"{Shown(path)} = {value}").Complaints;

    private static JobReading Read(string[] path, string value)
    {
        var job = Minimal("");
        JsonNode at = job;
        foreach (var step in path[..^1])
        {
            var name = step.TrimEnd('*');
            at[name] ??= step.EndsWith('*') ? new JsonArray(new JsonObject()) : new JsonObject();
            at = step.EndsWith('*') ? at[name]![0]! : at[name]!;
        }

        at[path[^1]] = JsonNode.Parse(value);
        return JobReader.Read(job);
    }

    /// <summary>Paths of names; a star marks a list, of which the first is meant.</summary>
    private static IEnumerable<(string[] Path, JobField Field)> Fields(JobBlock block, string[] above)
    {
        foreach (var field in block.Fields)
        {
            yield return ([.. above, field.Json], field);
            if (field.Of is not { } inner) continue;
            foreach (var found in Fields(inner, [.. above, field.Kind == FieldKind.Block ? field.Json : field.Json + "*"])) yield return found;
        }
    }

    private static bool Fits(JobField field, string value) => field.Kind switch
    {
        FieldKind.Text => value.StartsWith('"'),
        FieldKind.Number or FieldKind.Duration => value == "5",
        FieldKind.Flag => value == "true",
        FieldKind.Texts => value is "[]" or "[\"x\"]",
        FieldKind.Map => value == "{}",
        FieldKind.Config => value.StartsWith('{'),
        FieldKind.Block => value.StartsWith('{'),
        FieldKind.Blocks or FieldKind.Constraints or FieldKind.Ports => value.StartsWith('['),
        // A list of something is refused where an empty one asks for nothing; so is any other value but a zero.
        FieldKind.Refused => value is "[]" || (value is "{}" or "{\"a\":null}" && field.FilledIn) || (value == "true" && field.Harmless.Contains("true")),
        _ => ServerSet(field, value),
    };

    private static bool ServerSet(JobField field, string value) => field.Json switch
    {
        "Stop" or "Stable" => value == "true",
        "Status" or "StatusDescription" or "DispatchIdempotencyToken" => value.StartsWith('"'),
        _ => value == "5",
    };

    private static string Shown(string[] path) => string.Join('.', path).Replace("*", "[0]", StringComparison.Ordinal);

    private static JsonObject Minimal(string more) =>
        (JsonObject)JsonNode.Parse($"{{\"ID\":\"a\",\"TaskGroups\":[{{\"Name\":\"g\",\"Tasks\":[{{\"Name\":\"t\",\"Driver\":\"raw_exec\"}}]}}]{more}}}")!;
}
