// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>Our reading of a job beside that of HashiCorp's Nomad 1.1.</summary>
public sealed class LikeNomadTests(RealNomad nomad) : IClassFixture<RealNomad>
{
    // What a server fills in by itself.
    private static readonly string[] ServerSet = ["CreateIndex", "ModifyIndex", "JobModifyIndex", "Status", "SubmitTime", "Version", "Stable"];

    public static TheoryData<string> Files => [.. JobFiles.All.Keys];

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public async Task ParsesToTheSameJson(string file)
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);

        var (theirs, refusal) = await nomad.ParseAsync(JobFiles.All[file], canonicalize: false);

        refusal.ShouldBe("");
        ShouldBeSame(Parse(file), theirs!);
    }

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public async Task CanonicalizesToTheSameJson(string file)
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);

        var (theirs, refusal) = await nomad.ParseAsync(JobFiles.All[file], canonicalize: true);

        refusal.ShouldBe("");
        ShouldBeSame(JobReader.Canonicalize(Parse(file)), theirs!);
    }

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public async Task KeepsARegisteredJobInTheSameShape(string file)
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);

        var theirs = await nomad.RegisterAsync(Parse(file));

        var read = JobReader.Read(Parse(file)).ShouldBeOfType<JobReading.Read>();
        var ours = (JsonObject)JsonSerializer.SerializeToNode(read.Job, JobJson.Default.Job)!;
        foreach (var name in ServerSet) (ours[name], theirs[name]) = (null, null);
        // Nomad adds this for a kill_signal; here every driver takes every signal.
        foreach (var group in theirs["TaskGroups"]!.AsArray())
            if (group!["Constraints"] is JsonArray constraints) constraints.RemoveAll(c => (string?)c!["LTarget"] == "${attr.os.signals}");
        ShouldBeSame(ours, theirs);
    }

    [SkippableTheory]
    [MemberData(nameof(Examples.Files), MemberType = typeof(Examples))]
    public async Task FindsNothingWrongWithAnExample(string file)
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);

        var (theirs, refusal) = await nomad.ParseAsync(Examples.Read(file), canonicalize: false);

        refusal.ShouldBe("");
        (await nomad.ValidateAsync(theirs!)).ShouldBe("");
        ShouldBeSame(HclJob.Parse(Examples.Read(file)).ShouldBeOfType<HclReading.Read>().Job, theirs!);
    }

    public static TheoryData<string, string> Broken => new()
    {
        { "\"Count\":3", "\"Count\":-1" },
        { "\"Driver\":\"nomadstack\"", "\"Driver\":\"\"" },
        { "\"KillTimeout\":30000000000", "\"KillTimeout\":-1000000000" },
        { "\"MemoryMB\":128", "\"MemoryMB\":1" },
        { "\"Mode\":\"delay\"", "\"Mode\":\"never\"" },
        { "\"Interval\":60000000000", "\"Interval\":1000000000" },
        { "\"DelayFunction\":\"exponential\"", "\"DelayFunction\":\"linear\"" },
        { "\"HealthCheck\":\"task_states\"", "\"HealthCheck\":\"hope\"" },
        { "\"HealthyDeadline\":1800000000000", "\"HealthyDeadline\":1000000000" },
        { "\"SizeMB\":50", "\"SizeMB\":5" },
        { "\"MaxFiles\":2", "\"MaxFiles\":100" },
        { "\"Operand\":\"distinct_hosts\"", "\"Operand\":\"like\"" },
        { "\"Priority\":100", "\"Priority\":0" },
        { "\"Type\":\"service\"", "\"Type\":\"sometimes\"" },
    };

    [SkippableTheory]
    [MemberData(nameof(Broken))]
    public async Task ComplainsInTheSameWords(string whole, string broken)
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);
        var job = JobReader.Canonicalize(Parse(nameof(JobFiles.Servers))).ToJsonString();
        job.ShouldContain(whole);
        var bad = (JsonObject)JsonNode.Parse(job.Replace(whole, broken, StringComparison.Ordinal))!;

        var theirs = await nomad.ValidateAsync(bad);

        var refused = JobReader.Read(bad).ShouldBeOfType<JobReading.Refused>(theirs);
        foreach (var complaint in refused.Complaints)
        {
            // Nomad nests its lists; the innermost sentence is what people read.
            var sentence = complaint.What[(complaint.What.LastIndexOf("validation failed: ", StringComparison.Ordinal) is var at && at >= 0 ? at + "validation failed: ".Length : 0)..];
            theirs.ShouldContain(sentence, customMessage: broken);
        }
    }

    [SkippableFact]
    public async Task TakesAndRefusesTheSameMisspeltFiles()
    {
        Skip.If(nomad.Missing is not null, nomad.Missing);
        const int seed = 5;
        var chance = new Random(seed);
        var differences = new List<string>();
        for (var i = 0; i < 400; i++)
        {
            var text = Misspelt(JobFiles.Web, chance);
            var ours = HclJob.Parse(text);
            JsonObject? theirs;
            string refusal;
            try
            {
                (theirs, refusal) = await nomad.ParseAsync(text, canonicalize: false);
            }
            catch (HttpRequestException)
            {
                // Nomad 1.1.2 panics on some of these, and just hangs up.
                continue;
            }

            switch (ours)
            {
                case HclReading.Read read when theirs is not null:
                    differences.AddRange(Differences("", read.Job, theirs).Select(d => $"#{i}: {d}"));
                    break;
                case HclReading.Read:
                    differences.Add($"#{i}: only theirs refuses: {refusal}");
                    break;
                case HclReading.Refused refused when theirs is not null && !refused.Text.Contains("embedded engine"):
                    differences.Add($"#{i}: only ours refuses: {refused.Text}");
                    break;
            }
        }

        differences.ShouldBeEmpty($"seed {seed}");
    }

    private static string Misspelt(string text, Random chance)
    {
        const string likely = "{}[]\"=,.$#\n \\<>-:()a1";
        for (var changes = chance.Next(1, 3); changes > 0; changes--)
        {
            var at = chance.Next(text.Length - 1);
            text = chance.Next(3) switch
            {
                0 => text.Remove(at, 1),
                1 => text.Insert(at, likely[chance.Next(likely.Length)].ToString()),
                _ => text.Remove(at, 1).Insert(at, likely[chance.Next(likely.Length)].ToString()),
            };
        }

        return text;
    }

    private static JsonObject Parse(string file) => HclJob.Parse(JobFiles.All[file]) switch
    {
        HclReading.Read read => read.Job,
        HclReading.Refused refused => throw new InvalidOperationException(refused.Text),
        _ => throw new InvalidOperationException("neither read nor refused"),
    };

    private static void ShouldBeSame(JsonNode ours, JsonNode theirs)
    {
        var differences = Differences("", ours, theirs).ToList();
        differences.ShouldBeEmpty();
    }

    private static IEnumerable<string> Differences(string path, JsonNode? ours, JsonNode? theirs)
    {
        if (JsonNode.DeepEquals(ours, theirs)) return [];
        return (ours, theirs) switch
        {
            (JsonObject left, JsonObject right) => left.Select(e => e.Key).Union(right.Select(e => e.Key))
                .SelectMany(name => Differences($"{path}.{name}" + (left.ContainsKey(name) ? "" : " (missing in ours)") + (right.ContainsKey(name) ? "" : " (missing in theirs)"), left[name], right[name])
                    .DefaultIfEmpty(left.ContainsKey(name) == right.ContainsKey(name) ? "" : $"{path}.{name}: only on one side").Where(d => d.Length > 0)),
            (JsonArray left, JsonArray right) when left.Count == right.Count => Enumerable.Range(0, left.Count).SelectMany(i => Differences($"{path}[{i}]", left[i], right[i])),
            _ => [$"{path}: ours {ours?.ToJsonString() ?? "null"}, theirs {theirs?.ToJsonString() ?? "null"}"],
        };
    }
}
