// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>What callers ask for beside the job itself.</summary>
public sealed class ObeyedTests
{
    [Fact]
    public async Task CountsArePreservedWhereThatIsAsked()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 3));

        await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = JobsOf.ServiceJob("web", count: 1), ["PreserveCounts"] = true }.ToJsonString());
        ((int)(await agent.GetAsync("/v1/job/web"))!["TaskGroups"]![0]!["Count"]!).ShouldBe(3);
        await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = JobsOf.ServiceJob("web", count: 1) }.ToJsonString());
        ((int)(await agent.GetAsync("/v1/job/web"))!["TaskGroups"]![0]!["Count"]!).ShouldBe(1);
    }

    [Fact]
    public async Task AnEvaluationHasThePriorityThatWasAsked()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        var registered = (await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = JobsOf.ServiceJob("web"), ["EvalPriority"] = 77 }.ToJsonString()))!;
        ((int)(await agent.GetAsync($"/v1/evaluation/{registered["EvalID"]}"))!["Priority"]!).ShouldBe(77);
        var stopped = (await agent.JsonAsync("DELETE", "/v1/job/web?eval_priority=88&purge=false&global=false&no_shutdown_delay=false"))!;
        ((int)(await agent.GetAsync($"/v1/evaluation/{stopped["EvalID"]}"))!["Priority"]!).ShouldBe(88);

        (await agent.SendAsync("DELETE", "/v1/job/web?eval_priority=101")).ShouldBe((400, "eval_priority: priority must be between [1, 100]"));
        (await agent.SendAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = JobsOf.ServiceJob("web"), ["EvalPriority"] = -1 }.ToJsonString())).Status.ShouldBe(400);
    }

    [Fact]
    public async Task ADispatchWithATokenHappensOnceAndTakesItsPrefixAndPriority()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", Template());

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => agent.JsonAsync("PUT", "/v1/job/t/dispatch?idempotency_token=once", "{\"IdPrefixTemplate\":\"night\",\"Priority\":70}")));

        var id = answers.Select(a => (string)a!["DispatchedJobID"]!).Distinct().ShouldHaveSingleItem();
        id.ShouldStartWith("t/dispatch-night-");
        ((int)(await agent.GetAsync($"/v1/job/{Uri.EscapeDataString(id)}"))!["Priority"]!).ShouldBe(70);
        ((string)(await agent.JsonAsync("PUT", "/v1/job/t/dispatch?idempotency_token=twice"))!["DispatchedJobID"]!).ShouldNotBe(id);
        ((string)(await agent.JsonAsync("PUT", "/v1/job/t/dispatch"))!["DispatchedJobID"]!).ShouldNotBe(id);
        (await agent.SendAsync("PUT", "/v1/job/t/dispatch", "{\"Priority\":500}")).ShouldBe((400, "Priority: priority must be between [1, 100]"));
    }

    [Theory]
    [InlineData("{\"Count\":\"3\",\"Target\":{\"Group\":\"g\"}}", "Count: should be a whole number")]
    [InlineData("{\"Count\":1.5,\"Target\":{\"Group\":\"g\"}}", "Count: should be a whole number")]
    [InlineData("{\"Count\":3,\"Target\":\"g\"}", "Target: should be a map of strings")]
    [InlineData("{\"Count\":3,\"Target\":{\"Group\":\"g\",\"Node\":\"n\"}}", "Target.Node: is not known to the embedded engine")]
    [InlineData("{\"Count\":3,\"Target\":{\"Group\":\"g\",\"Job\":\"other\"}}", "Job ID does not match")]
    [InlineData("{\"Count\":2000000000,\"Target\":{\"Group\":\"g\"}}", "total count was greater than job_max_count: 2000000000 > 50000")]
    [InlineData("{\"Count\":3,\"Target\":{\"Group\":\"g\"},\"JobModifyIndex\":1}", "Enforcing job modify index 1")]
    public async Task AScaleThatIsNotWhatItShouldBeChangesNothingAndSaysWhy(string body, string complaint)
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        // A batch job has no deployment that would be in the way.
        var job = JobsOf.ServiceJob("web", count: 2);
        job["Type"] = "batch";
        await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = job }.ToJsonString());

        (await agent.SendAsync("PUT", "/v1/job/web/scale", body)).Text.ShouldContain(complaint);
        ((int)(await agent.GetAsync("/v1/job/web"))!["TaskGroups"]![0]!["Count"]!).ShouldBe(2);
    }

    [Fact]
    public async Task AJobIsRegisteredUnderItsOwnPathOnly()
    {
        await using var cluster = await AgentCluster.OneAsync();
        (await cluster.Agents["s1"].SendAsync("PUT", "/v1/job/other", JobsOf.Service("web"))).ShouldBe((400, "Job ID does not match"));
    }

    [Fact]
    public async Task VersionsComeWithTheirDifferences()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 1));
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 2));

        var diff = (await agent.GetAsync("/v1/job/web/versions?diffs=true"))!["Diffs"]!.AsArray().ShouldHaveSingleItem()!;
        ((string)diff["Type"]!).ShouldBe("Edited");
        ((string)diff["TaskGroups"]![0]!["Fields"]![0]!["Name"]!).ShouldBe("Count");
        ((await agent.GetAsync("/v1/job/web/versions?diffs=false"))!["Diffs"]).ShouldBeNull();
    }

    [Fact]
    public async Task ADeploymentWithManualHealthWaitsForAnOperatorsWord()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);
        var job = JobsOf.ServiceJob("web", count: 1);
        job["TaskGroups"]![0]!["Update"] = new JsonObject { ["HealthCheck"] = "manual", ["MinHealthyTime"] = 0 };
        await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = job }.ToJsonString());
        await cluster.EventuallyAsync("it runs", async () => (await agent.GetAsync("/v1/job/web/allocations"))!.AsArray().Any(a => (string?)a!["ClientStatus"] == "running"));
        var deployment = (string)(await agent.GetAsync("/v1/job/web/deployment"))!["ID"]!;
        var allocation = (string)(await agent.GetAsync("/v1/job/web/allocations"))![0]!["ID"]!;
        ((string?)(await agent.GetAsync($"/v1/deployment/{deployment}"))!["Status"]).ShouldBe("running");

        (await agent.SendAsync("PUT", $"/v1/deployment/allocation-health/{deployment}", "{}")).Status.ShouldBe(400);
        await agent.JsonAsync("PUT", $"/v1/deployment/allocation-health/{deployment}", new JsonObject { ["DeploymentID"] = deployment, ["HealthyAllocationIDs"] = new JsonArray(allocation) }.ToJsonString());
        await cluster.EventuallyAsync("it succeeds", async () => (string?)(await agent.GetAsync($"/v1/deployment/{deployment}"))!["Status"] == "successful");
    }

    private static string Template()
    {
        var job = JobsOf.ServiceJob("t");
        job["Type"] = "batch";
        job["ParameterizedJob"] = new JsonObject();
        return new JsonObject { ["Job"] = job }.ToJsonString();
    }
}
