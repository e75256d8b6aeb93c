// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

public sealed class JobReaderTests
{
    [Theory]
    [InlineData("\"Flavour\":\"mint\"", "Flavour: is not known to the embedded engine")]
    [InlineData("\"Flavour\":{\"Mint\":false}", "Flavour: is not known to the embedded engine")]
    [InlineData("\"Periodic\":{}", "Periodic: is something")]
    [InlineData("\"UI\":{\"Description\":\"\"}", "UI: is something")]
    [InlineData("\"Type\":\"sysbatch\"", "job type \"sysbatch\" is something that HashiCorp's Nomad does and the embedded engine does not")]
    [InlineData("\"Periodic\":{\"Enabled\":true}", "Periodic: is something that HashiCorp's Nomad does and the embedded engine does not")]
    [InlineData("\"Affinities\":[{\"LTarget\":\"x\"}]", "Affinities: is something")]
    [InlineData("\"Update\":{\"Canary\":1}", "Update.Canary: is something")]
    [InlineData("\"NodePool\":\"gpu\"", "NodePool: is something")]
    [InlineData("\"Priority\":\"high\"", "Priority: should be a whole number")]
    [InlineData("\"Priority\":1.5", "Priority: should be a whole number")]
    [InlineData("\"Priority\":99999999999", "Priority: has a value that does not fit")]
    [InlineData("\"Datacenters\":\"dc1\"", "Datacenters: should be a list of strings")]
    [InlineData("\"Meta\":{\"a\":1}", "Meta: should be a map of strings")]
    public void RefusesByPath(string field, string complaint) => Refusal(field).ShouldContain(complaint);

    [Fact]
    public void NamesTheGroupAndTaskInThePath() =>
        Refusal("\"TaskGroups\":[{},{\"Tasks\":[{\"Templates\":[{\"DestPath\":\"x\"}]}]}]").ShouldBe("TaskGroups[1].Tasks[0].Templates: is something that HashiCorp's Nomad does and the embedded engine does not");

    [Theory]
    [InlineData("\"Flavour\":null")]
    [InlineData("\"Flavour\":false,\"Drops\":[]")]
    [InlineData("\"Multiregion\":null,\"Spreads\":[],\"ConsulToken\":\"\",\"Dispatched\":false")]
    [InlineData("\"NodePool\":\"default\"")]
    [InlineData("\"Update\":{\"Canary\":0,\"AutoRevert\":false}")]
    public void TakesWhatAsksForNothing(string field) => JobReader.Read(Minimal(field)).ShouldBeOfType<JobReading.Read>();

    [Fact]
    public void TakesNamesInAnyCaseAsGoDoes() =>
        JobReader.Read(Minimal("\"priority\":7")).ShouldBeOfType<JobReading.Read>().Job.Priority.ShouldBe(7);

    [Fact]
    public void GivesAGroupWhatTheJobSaysAndTheGroupDoesNot()
    {
        var json = Minimal("\"Update\":{\"MaxParallel\":3,\"MinHealthyTime\":5000000000}");
        json["TaskGroups"]![0]!["Update"] = new JsonObject { ["MaxParallel"] = 2 };

        var job = JobReader.Read(json).ShouldBeOfType<JobReading.Read>().Job;

        job.TaskGroups[0].Update.ShouldBe(new UpdateStrategy
        {
            MaxParallel = 2,
            MinHealthyTime = TimeSpan.FromSeconds(5),
            HealthyDeadline = TimeSpan.FromMinutes(5),
            ProgressDeadline = TimeSpan.FromMinutes(10),
            Stagger = TimeSpan.FromSeconds(30),
            HealthCheck = "checks",
        });
        (job.Update.MaxParallel, job.Update.HealthCheck).ShouldBe((3, ""));
    }

    [Fact]
    public void ReadsItsOwnJsonBackToTheSameJob()
    {
        foreach (var file in JobFiles.All.Values)
        {
            var job = JobReader.Read(((HclReading.Read)HclJob.Parse(file)).Job).ShouldBeOfType<JobReading.Read>().Job;
            var text = JsonSerializer.Serialize(job, JobJson.Default.Job);

            var again = JobReader.Read((JsonObject)JsonNode.Parse(text)!).ShouldBeOfType<JobReading.Read>().Job;

            JsonSerializer.Serialize(again, JobJson.Default.Job).ShouldBe(text);
        }
    }

    private static string Refusal(string field) => JobReader.Read(Minimal(field)).ShouldBeOfType<JobReading.Refused>().Text;

    private static JsonObject Minimal(string field) => (JsonObject)JsonNode.Parse(
        field.StartsWith("\"TaskGroups\"", StringComparison.Ordinal) ? $"{{\"ID\":\"a\",{field}}}"
        : $"{{\"ID\":\"a\",{(field.Contains("Datacenters") ? "" : "\"Datacenters\":[\"dc1\"],")}\"TaskGroups\":[{{\"Name\":\"g\",\"Tasks\":[{{\"Name\":\"t\",\"Driver\":\"raw_exec\"}}]}}],{field}}}")!;
}
