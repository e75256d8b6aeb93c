// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>How much of each a job may have.</summary>
public sealed class BoundsTests
{
    [Theory]
    [InlineData("Count", "2000000000", "total count was greater than job_max_count: 2000000000 > 50000")]
    [InlineData("Count", "50001", "total count was greater than job_max_count: 50001 > 50000")]
    [InlineData("RestartPolicy", "{\"Attempts\":2147483647,\"Interval\":9223372036854775807,\"Delay\":4000000000000000}", "Nomad can't restart the TaskGroup 2147483647 times")]
    [InlineData("RestartPolicy", "{\"Delay\":9223372036854775807}", "TaskGroups[0].RestartPolicy.Delay: is longer than 49 days")]
    [InlineData("ReschedulePolicy", "{\"Unlimited\":false,\"Attempts\":2147483647,\"Interval\":9223372036854775807,\"Delay\":4000000000000000,\"DelayFunction\":\"constant\"}", "Nomad cannot make 2147483647 attempts")]
    [InlineData("ReschedulePolicy", "{\"Unlimited\":false,\"Attempts\":2147483647,\"Interval\":9223372036854775807,\"Delay\":5000000000,\"DelayFunction\":\"fibonacci\",\"MaxDelay\":5000000000}", "Nomad cannot make 2147483647 attempts")]
    [InlineData("Update", "{\"ProgressDeadline\":9223372036854775807}", "TaskGroups[0].Update.ProgressDeadline: is longer than 49 days")]
    public void AGroupThatAsksForTooMuchIsRefused(string field, string value, string complaint)
    {
        var job = Minimal();
        job["TaskGroups"]![0]![field] = JsonNode.Parse(value);

        Refusal(job).ShouldContain(complaint);
    }

    [Fact]
    public void TheGroupsOfAJobCountTogether()
    {
        var job = Minimal();
        job["TaskGroups"]![0]!["Count"] = 50_000;
        JobReader.Read((JsonObject)job.DeepClone()).ShouldBeOfType<JobReading.Read>();
        var second = job["TaskGroups"]![0]!.DeepClone();
        second["Name"] = "h";
        ((JsonArray)job["TaskGroups"]!).Add(second);

        Refusal(job).ShouldContain("100000 > 50000");
    }

    [Fact]
    public void AnIdThatDoesNotFitAUrlIsRefusedAndTheLongestThatDoesIsTaken()
    {
        var job = Minimal();
        job["ID"] = new string('x', 2049);
        Refusal(job).ShouldContain("Job ID has 2049 bytes; the embedded engine allows 2048");
        job["ID"] = new string('é', 1024);
        job["Name"] = "n";
        JobReader.Read(job).ShouldBeOfType<JobReading.Read>();
    }

    [Theory]
    [InlineData("Job Name", "Name")]
    [InlineData("Task group name", "TaskGroups", "0", "Name")]
    [InlineData("Task name", "TaskGroups", "0", "Tasks", "0", "Name")]
    public void ANameThatNoFileCouldHaveIsRefused(string what, params string[] path)
    {
        var job = Minimal();
        JsonNode at = job;
        foreach (var step in path[..^1]) at = int.TryParse(step, out var index) ? at[index]! : at[step]!;
        at[path[^1]] = new string('n', 3000);

        Refusal(job).ShouldContain($"{what} has 3000 bytes");
    }

    [Fact]
    public void AJobOfTensOfThousandsOfBlocksIsRefusedAtTheFirstThatIsTooMany()
    {
        var job = Minimal();
        for (var i = 0; i < 20_000; i++) ((JsonArray)job["TaskGroups"]!).Add((JsonNode)new JsonObject { ["Name"] = $"g{i}", ["Tasks"] = new JsonArray(new JsonObject()) });
        // The job, two blocks of the first group, two of each of the others.
        Refusal(job).ShouldBe("TaskGroups[2499].Tasks[0]: comes after 5000 other blocks, which is all that a job may have in the embedded engine");

        var file = $"job \"j\" {{\n{string.Concat(Enumerable.Range(0, 6000).Select(i => $"group \"g{i}\" {{}}\n"))}}}";
        HclJob.Parse(file).ShouldBeOfType<HclReading.Refused>().Text.ShouldContain("input.hcl:5001,1-14: Too many blocks");
    }

    [Fact]
    public void AKillSignalThatDoesNotExistIsRefused()
    {
        var job = Minimal();
        job["TaskGroups"]![0]!["Tasks"]![0]!["KillSignal"] = "SIGNOSUCH";
        Refusal(job).ShouldContain("kill_signal: \"SIGNOSUCH\" is not a signal");
        job["TaskGroups"]![0]!["Tasks"]![0]!["KillSignal"] = "SIGUSR1";
        JobReader.Read(job).ShouldBeOfType<JobReading.Read>();
    }

    [Fact]
    public void MetadataThatADispatchMayGiveAndDidNotIsEmpty()
    {
        var job = Minimal();
        job["Type"] = "batch";
        job["ParameterizedJob"] = new JsonObject { ["MetaOptional"] = new JsonArray("how", "when") };
        job["Meta"] = new JsonObject { ["when"] = "now" };
        var read = JobReader.Read(job).ShouldBeOfType<JobReading.Read>().Job;

        read.MetaOf(read.TaskGroups[0], read.TaskGroups[0].Tasks[0]).ShouldBe(new Dictionary<string, string> { ["how"] = "", ["when"] = "now" });
    }

    private static string Refusal(JsonObject job) => JobReader.Read((JsonObject)job.DeepClone()).ShouldBeOfType<JobReading.Refused>().Text;

    private static JsonObject Minimal() => (JsonObject)JsonNode.Parse("{\"ID\":\"a\",\"TaskGroups\":[{\"Name\":\"g\",\"Tasks\":[{\"Name\":\"t\",\"Driver\":\"raw_exec\"}]}]}")!;
}
