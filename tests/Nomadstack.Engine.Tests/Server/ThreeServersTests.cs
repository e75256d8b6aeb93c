// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Server;

public sealed class ThreeServersTests
{
    [Fact]
    public async Task AClusterGrowsSurvivesItsLeaderAndLetsServersLeave()
    {
        await using var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1);
        cluster.Configure("s2", expect: 0, "s1");
        cluster.Configure("s3", expect: 0, "s2");
        foreach (var name in new[] { "s1", "s2", "s3" }) await cluster.StartAsync(name);
        var (s1, s2, s3) = (cluster.Agents["s1"], cluster.Agents["s2"], cluster.Agents["s3"]);

        await cluster.EventuallyAsync("three voters", async () => await VotersAsync(s2) == 3);

        // A follower takes what only the leader can do.
        var follower = s1.Server.Session is null ? s1 : s2;
        var registered = await follower.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        ((string?)registered!["EvalID"]).ShouldNotBeNullOrEmpty();
        ((string?)(await s3.GetAsync("/v1/job/web"))!["ID"]).ShouldBe("web");
        var members = (await s3.GetAsync("/v1/agent/members"))!["Members"]!.AsArray();
        members.Select(m => (string?)m!["Status"]).ShouldBe(["alive", "alive", "alive"]);

        // The leader dies.
        var dead = cluster.Agents.Single(a => a.Value.Server.Session is not null).Key;
        await cluster.StopAsync(dead);
        var left = cluster.Agents.Values.First();
        await cluster.EventuallyAsync("another leader", async () => (await left.SendAsync("GET", "/v1/job/web")).Status == 200);
        await cluster.StartAsync(dead);
        await cluster.EventuallyAsync("it is back", async () => (await left.GetAsync("/v1/agent/members"))!["Members"]!.AsArray().All(m => (string?)m!["Status"] == "alive"));

        // The leader leaves: another leads, and the raft is smaller.
        await cluster.EventuallyAsync("a leader with a session", () => Task.FromResult(cluster.Agents.Values.Any(a => a.Server.Session is not null)));
        var leaving = cluster.Agents.Single(a => a.Value.Server.Session is not null).Key;
        await cluster.Agents[leaving].Server.LeaveAsync(CancellationToken.None);
        await cluster.StopAsync(leaving);
        var stays = cluster.Agents.Values.First();
        await cluster.EventuallyAsync("two voters", async () => await VotersAsync(stays) == 2);
        await cluster.EventuallyAsync("the one that left is known to have", async () => (await stays.GetAsync("/v1/agent/members"))!["Members"]!.AsArray().Count(m => (string?)m!["Status"] == "left") == 1);
        ((string?)(await stays.GetAsync("/v1/job/web"))!["ID"]).ShouldBe("web");
    }

    [Fact]
    public async Task ThreeThatExpectEachOtherBeginTogether()
    {
        await using var cluster = new AgentCluster();
        foreach (var name in new[] { "s1", "s2", "s3" }) cluster.Configure(name, expect: 3, [.. new[] { "s1" }.Where(j => j != name)]);
        foreach (var name in new[] { "s1", "s2", "s3" }) await cluster.StartAsync(name);

        await cluster.EventuallyAsync("three voters", async () => await VotersAsync(cluster.Agents["s3"]) == 3);
    }

    [Fact]
    public async Task AServerThatLostTheOthersIsRecoveredByPeersJsonAndKeepsItsJobs()
    {
        await using var cluster = new AgentCluster();
        cluster.Configure("s1", expect: 1);
        cluster.Configure("s2", expect: 0, "s1");
        await cluster.StartAsync("s1");
        await cluster.StartAsync("s2");
        await cluster.EventuallyAsync("two voters", async () => await VotersAsync(cluster.Agents["s1"]) == 2);
        await cluster.Agents["s1"].JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        var (id, rpc) = (cluster.Agents["s1"].Server.Raft.Id, cluster.Agents["s1"].Server.Config.Advertise.Rpc);
        await cluster.StopAsync("s2");
        await cluster.StopAsync("s1");

        var raft = Path.Combine(cluster.DataDir("s1"), "server", "raft");
        await File.WriteAllTextAsync(Path.Combine(raft, "peers.json"), new JsonArray(new JsonObject { ["id"] = id, ["address"] = rpc, ["non_voter"] = false }).ToJsonString());
        var alone = await cluster.StartAsync("s1");
        await alone.WithLeaderAsync();

        ((string?)(await alone.GetAsync("/v1/job/web"))!["ID"]).ShouldBe("web");
        alone.Server.Raft.Id.ShouldBe(id);
        File.Exists(Path.Combine(raft, "peers.json")).ShouldBeFalse();
    }

    private static async Task<int> VotersAsync(RunningAgent agent)
    {
        var (status, text) = await agent.SendAsync("GET", "/v1/operator/raft/configuration");
        return status == 200 ? JsonNode.Parse(text)!["Servers"]!.AsArray().Count(s => (bool)s!["Voter"]!) : 0;
    }
}

/// <summary>Jobs as clients send them.</summary>
internal static class JobsOf
{
    public static string Service(string id, int count = 1, int cpu = 100) => new JsonObject { ["Job"] = ServiceJob(id, count, cpu) }.ToJsonString();

    public static JsonObject ServiceJob(string id, int count = 1, int cpu = 100) => new()
    {
        ["ID"] = id,
        ["Name"] = id,
        ["Type"] = "service",
        ["Datacenters"] = new JsonArray("dc1"),
        ["TaskGroups"] = new JsonArray(new JsonObject
        {
            ["Name"] = "g",
            ["Count"] = count,
            ["Tasks"] = new JsonArray(new JsonObject { ["Name"] = "t", ["Driver"] = "raw_exec", ["Config"] = new JsonObject { ["command"] = "/bin/sleep" }, ["Resources"] = new JsonObject { ["CPU"] = cpu, ["MemoryMB"] = 64 } }),
        }),
    };
}
