// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

public sealed class OneServerTests
{
    private const string NoId = "00000000-0000-0000-0000-000000000000";

    [Fact]
    public async Task RefusesInNomadsWords()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];

        foreach (var (method, path, body, status, text) in new (string, string, string?, int, string)[]
        {
            ("GET", "/v1/job/nope", null, 404, "job not found"),
            ("GET", "/v1/job/nope/summary", null, 404, "job not found"),
            ("GET", "/v1/job/nope/allocations", null, 200, "[]"),
            ("GET", "/v1/job/nope/deployment", null, 200, "null"),
            ("PUT", "/v1/job/nope/evaluate", "{\"JobID\":\"nope\"}", 500, "job not found"),
            ("GET", "/v1/node/nope", null, 500, "node lookup failed: index error: UUID must be 36 characters"),
            ("GET", $"/v1/node/{NoId}", null, 404, "node not found"),
            ("PUT", $"/v1/node/{NoId}/purge", null, 500, "node not found"),
            ("GET", $"/v1/allocation/{NoId}", null, 404, "alloc not found"),
            ("PUT", $"/v1/allocation/{NoId}/stop", null, 404, "allocation not found"),
            ("GET", $"/v1/evaluation/{NoId}", null, 404, "eval not found"),
            ("GET", $"/v1/deployment/{NoId}", null, 404, "deployment not found"),
            ("DELETE", "/v1/operator/raft/peer?id=zz", null, 500, "id \"zz\" was not found in the Raft configuration"),
            ("DELETE", "/v1/operator/raft/peer?address=1.2.3.4:5", null, 500, "address \"1.2.3.4:5\" was not found in the Raft configuration"),
            ("PUT", "/v1/operator/autopilot/configuration?cas=0", "{}", 200, "false"),
            ("PUT", "/v1/agent/force-leave?node=x", null, 200, ""),
            ("PUT", "/v1/agent/force-leave?node=x&prune=perhaps", null, 400, "failed to parse prune field to boolean: \"perhaps\""),
            ("GET", "/v1/agent/health?type=both", null, 400, "type: \"both\" is neither \"client\" nor \"server\""),
            ("PUT", "/v1/system/gc", null, 200, ""),
            ("PUT", "/v1/jobs", "{}", 400, "Job must be specified"),
            ("DELETE", "/v1/jobs", null, 405, "Invalid method"),
            ("GET", "/v1/nodes?index=x", null, 400, "Invalid index"),
            ("GET", "/v1/nodes?index=1&wait=x", null, 400, "Invalid wait time"),
            ("GET", "/v1/regions", null, 200, "[\"global\"]"),
            ("GET", "/v1/nothing", null, 404, "Neither nomadstack's embedded engine nor HashiCorp's Nomad has /v1/nothing."),
            ("POST", "/rpc/members", "{}", 404, "Neither nomadstack's embedded engine nor HashiCorp's Nomad has /rpc/members."),
        })
            (await agent.SendAsync(method, path, body)).ShouldBe((status, text), $"{method} {path}");
        (await agent.SendAsync("PUT", "/v1/jobs", "{\"Job\":{\"ID\":\"a\"}}")).Status.ShouldBe(500);
    }

    [Fact]
    public async Task AJobGoesThroughItsWholeLife()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);

        // What it would do, and then does.
        var plan = (await agent.JsonAsync("PUT", "/v1/job/web/plan", new JsonObject { ["Job"] = JobsOf.ServiceJob("web", count: 2), ["Diff"] = true }.ToJsonString()))!;
        ((int)plan["Annotations"]!["DesiredTGUpdates"]!["g"]!["Place"]!).ShouldBe(2);
        ((string?)plan["Diff"]!["Type"]).ShouldBe("Added");
        (await agent.GetAsync("/v1/jobs"))!.AsArray().ShouldBeEmpty();

        var registered = (await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 2)))!;
        await cluster.EventuallyAsync("two run", async () => (await AllocationsAsync(agent)).Count(a => (string?)a!["ClientStatus"] == "running") == 2);
        await cluster.EventuallyAsync("deployed", async () => (string?)(await agent.GetAsync("/v1/job/web/deployment"))?["Status"] == "successful");
        ((string?)(await agent.GetAsync($"/v1/evaluation/{registered["EvalID"]}"))!["Status"]).ShouldBe("complete");
        ((int)(await agent.GetAsync("/v1/job/web/summary"))!["Summary"]!["g"]!["Running"]!).ShouldBe(2);

        // The same again is no change; another's index is refused.
        var again = (await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 2)))!;
        ((long)again["JobModifyIndex"]!).ShouldBe((long)registered["JobModifyIndex"]!);
        var enforced = new JsonObject { ["Job"] = JobsOf.ServiceJob("web"), ["EnforceIndex"] = true, ["JobModifyIndex"] = 0 }.ToJsonString();
        (await agent.SendAsync("PUT", "/v1/jobs", enforced)).ShouldBe((500, "Enforcing job modify index 0: job already exists"));

        // Too much for the node waits for room.
        var large = (await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("large", cpu: 100000)))!;
        await cluster.EventuallyAsync("blocked", async () => ((string?)(await agent.GetAsync($"/v1/evaluation/{large["EvalID"]}"))!["BlockedEval"]) is { Length: > 0 });

        // Stopped, and forgotten.
        await agent.JsonAsync("DELETE", "/v1/job/web?purge=false");
        await cluster.EventuallyAsync("all stopped", async () => (await AllocationsAsync(agent)).All(a => (string?)a!["ClientStatus"] == "complete"));
        await agent.JsonAsync("PUT", "/v1/system/gc");
        (await agent.SendAsync("GET", "/v1/job/web")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task ADrainEmptiesANodeAndEligibilityBringsItBack()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var one = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 2));
        await cluster.EventuallyAsync("both run", async () => (await AllocationsAsync(agent)).Count(a => (string?)a!["ClientStatus"] == "running") == 2);
        await using var two = await FakeClient.StartAsync("n2", agent.Server.Config.Advertise.Rpc);

        await agent.JsonAsync("PUT", $"/v1/node/{one.Node.ID}/drain", "{\"DrainSpec\":{\"Deadline\":-1,\"IgnoreSystemJobs\":false}}");
        await cluster.EventuallyAsync("all moved", async () => (await AllocationsAsync(agent)).Count(a => (string?)a!["ClientStatus"] == "running" && (string?)a["NodeID"] == two.Node.ID) == 2);
        await cluster.EventuallyAsync("the drain is over", async () => (await agent.GetAsync($"/v1/node/{one.Node.ID}"))!["DrainStrategy"] is null);

        ((string?)(await agent.GetAsync($"/v1/node/{one.Node.ID}"))!["SchedulingEligibility"]).ShouldBe("ineligible");
        await agent.JsonAsync("PUT", $"/v1/node/{one.Node.ID}/eligibility", "{\"Eligibility\":\"eligible\"}");
        ((string?)(await agent.GetAsync($"/v1/node/{one.Node.ID}"))!["SchedulingEligibility"]).ShouldBe("eligible");
        ((string?)(await agent.GetAsync($"/v1/node/{one.Node.ID}"))!["SecretID"]).ShouldBe("");
    }

    [Fact]
    public async Task AClientWithAnotherSecretIsTurnedAway()
    {
        await using var cluster = await AgentCluster.OneAsync();
        await using var client = await FakeClient.StartAsync("n1", cluster.Agents["s1"].Server.Config.Advertise.Rpc);

        await Should.ThrowAsync<Nomadstack.Engine.Client.NoServerException>(() => client.Servers.HeartbeatAsync(client.Node.ID, "another", default));
        await Should.ThrowAsync<Nomadstack.Engine.Client.NoServerException>(() => client.Servers.RegisterAsync(client.Node with { SecretID = "another" }, default));
        (await client.Servers.HeartbeatAsync(NoId, "any", default)).ShouldBeNull();
    }

    [Fact]
    public async Task ABlockingQueryWaitsForTheChange()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        using var first = await agent.Http.GetAsync("/v1/jobs");
        var index = first.Headers.GetValues("X-Nomad-Index").Single();
        first.Headers.GetValues("X-Nomad-KnownLeader").Single().ShouldBe("true");

        // Nothing changes any more once the evaluation is over.
        await cluster.EventuallyAsync("evaluated", async () => (await agent.GetAsync("/v1/job/web/evaluations"))!.AsArray().Any(e => (string?)e!["Status"] == "blocked"));
        using var settled = await agent.Http.GetAsync("/v1/jobs");
        index = settled.Headers.GetValues("X-Nomad-Index").Single();
        var began = Stopwatch.StartNew();
        using var unchanged = await agent.Http.GetAsync($"/v1/jobs?index={index}&wait=300ms");
        began.Elapsed.ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(290));
        unchanged.Headers.GetValues("X-Nomad-Index").Single().ShouldBe(index);

        var waiting = agent.Http.GetAsync($"/v1/jobs?index={index}&wait=60s");
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("other"));
        using var changed = await waiting;
        long.Parse(changed.Headers.GetValues("X-Nomad-Index").Single()).ShouldBeGreaterThan(long.Parse(index));
    }

    [Fact]
    public async Task AServerWhoseLogWasCutOffDoesNotStartAndOneThatLostPowerTells()
    {
        await using var cluster = await AgentCluster.OneAsync();
        await cluster.Agents["s1"].JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        await cluster.StopAsync("s1");
        var raft = Path.Combine(cluster.DataDir("s1"), "server", "raft");
        var log = Directory.EnumerateFiles(raft, "log-*").Order(StringComparer.Ordinal).Last();
        var whole = await File.ReadAllBytesAsync(log);
        await File.WriteAllBytesAsync(log, whole[..^1]);

        (await Should.ThrowAsync<RaftDamageException>(() => cluster.StartAsync("s1"))).Message.ShouldContain("bytes had been acknowledged");

        // A write that was not finished, behind everything that was acknowledged.
        await File.WriteAllBytesAsync(log, [.. whole, 1, 2, 3]);
        (await cluster.StartAsync("s1")).Log.ShouldContain("Warning: The raft log ended with 3 bytes of a write that was not finished");
    }

    [Fact]
    public async Task AutopilotNamesTheLeaderAndTheVoters()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        var health = (await agent.GetAsync("/v1/operator/autopilot/health"))!;
        ((string)health["Leader"]!).ShouldBe(agent.Server.Raft.Id);
        health["Voters"]!.AsArray().Select(v => (string)v!).ShouldBe([agent.Server.Raft.Id]);
    }

    [Fact]
    public async Task AServerThatIsStartedAgainHasEverything()
    {
        await using var cluster = await AgentCluster.OneAsync();
        await cluster.Agents["s1"].JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        var id = cluster.Agents["s1"].Server.Raft.Id;
        await cluster.StopAsync("s1");

        var again = await cluster.StartAsync("s1");
        ((string?)(await again.GetAsync("/v1/job/web"))!["ID"]).ShouldBe("web");
        again.Server.Raft.Id.ShouldBe(id);
    }

    [Fact]
    public async Task WithoutALeaderACallIsHeldAndThenRefusedAndAStaleOneAnswered()
    {
        await using var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 0);
        var agent = await cluster.StartAsync("s1");

        (await agent.SendAsync("GET", "/v1/jobs?stale")).ShouldBe((200, "[]"));
        (await agent.SendAsync("GET", "/v1/status/leader?stale")).ShouldBe((200, "\"\""));
        var began = Stopwatch.StartNew();
        (await agent.SendAsync("GET", "/v1/jobs")).ShouldBe((500, "No cluster leader"));
        began.Elapsed.ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(4.9));
    }

    private static async Task<JsonArray> AllocationsAsync(RunningAgent agent) => (await agent.GetAsync("/v1/job/web/allocations"))!.AsArray();
}
