// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>Search, events, metrics and the log.</summary>
public sealed class StreamsTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task AnIdIsFoundByItsFirstLetters()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);
        for (var i = 0; i < 22; i++) await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service($"web-{i}", count: 0));

        var all = (await agent.JsonAsync("PUT", "/v1/search", "{\"Prefix\":\"web-1\",\"Context\":\"all\"}"))!;
        all["Matches"]!["jobs"]!.AsArray().Count.ShouldBe(11);
        all["Matches"]!["nodes"]!.AsArray().ShouldBeEmpty();
        var many = (await agent.JsonAsync("PUT", "/v1/search", "{\"Prefix\":\"web\",\"Context\":\"jobs\"}"))!;
        (many["Matches"]!["jobs"]!.AsArray().Count, (bool)many["Truncations"]!["jobs"]!).ShouldBe((20, true));
        ((string)(await agent.JsonAsync("PUT", "/v1/search", $"{{\"Prefix\":\"{client.Node.ID[..6]}\",\"Context\":\"nodes\"}}"))!["Matches"]!["nodes"]![0]!).ShouldBe(client.Node.ID);
        (await agent.JsonAsync("PUT", "/v1/search", "{\"Prefix\":\"\",\"Context\":\"volumes\"}"))!["Matches"]!["volumes"]!.AsArray().ShouldBeEmpty();
        (await agent.SendAsync("PUT", "/v1/search", "{\"Prefix\":\"a\",\"Context\":\"flavours\"}")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task EventsTellWhatHappensFromNowOnAndWhatChangedSinceAnIndex()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("before"));
        using var now = await OpenAsync(agent, "/v1/event/stream?topic=Job&topic=Evaluation:web");
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        await agent.JsonAsync("DELETE", "/v1/job/web?purge=true");

        var events = new List<JsonNode>();
        while (!events.Any(e => (string?)e["Type"] == "JobDeregistered" && (string?)e["Topic"] == "Job")) events.AddRange(await LineAsync(now));
        events.ShouldAllBe(e => (string?)e["Topic"] == "Job" || ((string?)e["Topic"] == "Evaluation" && (string?)e["Payload"]!["Evaluation"]!["JobID"] == "web"));
        var first = events.First(e => (string?)e["Topic"] == "Job");
        ((string?)first["Type"], (string?)first["Key"], (string?)first["Payload"]!["Job"]!["ID"]).ShouldBe(("JobRegistered", "web", "web"));
        events.ShouldContain(e => (string?)e["Topic"] == "Evaluation");

        using var since = await OpenAsync(agent, "/v1/event/stream?topic=Job:before&index=1");
        ((string?)(await LineAsync(since)).Single()["Key"]).ShouldBe("before");

        (await agent.SendAsync("GET", "/v1/event/stream?topic=Service")).Text.ShouldContain("the embedded engine has no topic \"Service\"");
        (await agent.SendAsync("GET", "/v1/event/stream?index=x")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task MetricsCountWhatThereIs()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        await cluster.EventuallyAsync("it runs", async () => (await agent.GetAsync("/v1/job/web/allocations"))!.AsArray().Any(a => (string?)a!["ClientStatus"] == "running"));

        var gauges = (await agent.GetAsync("/v1/metrics"))!["Gauges"]!.AsArray().ToDictionary(g => (string)g!["Name"]!, g => (double)g!["Value"]!);
        (gauges["nomad.nomad.job_status.running"], gauges["nomad.nomad.heartbeat.active"]).ShouldBe((1, 1));
        gauges["nomad.raft.appliedIndex"].ShouldBeGreaterThan(1);
        (await agent.SendAsync("GET", "/v1/metrics?format=prometheus")).Text.ShouldContain("nomad_nomad_job_status_running 1\n");
        (await agent.SendAsync("GET", "/v1/metrics?format=xml")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task TheLogIsReadAlongFromTheLevelThatIsAsked()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        using var plain = await OpenAsync(agent, "/v1/agent/monitor?log_level=debug&plain=true");
        using var frames = await OpenAsync(agent, "/v1/agent/monitor?log_level=warn");
        await cluster.EventuallyAsync("both read", () => Task.FromResult(agent.Tap.Least == LogLevel.Debug));

        agent.Tap.Write(LogLevel.Trace, "too low");
        agent.Tap.Write(LogLevel.Debug, "for one");
        agent.Tap.Write(LogLevel.Warning, "for both");

        (await plain.ReadLineAsync(), await plain.ReadLineAsync()).ShouldBe(("for one", "for both"));
        var buffer = new char[1000];
        var frame = JsonNode.Parse(new string(buffer, 0, await frames.ReadAsync(buffer)))!;
        Encoding.UTF8.GetString(Convert.FromBase64String((string)frame["Data"]!)).ShouldBe("for both\n");

        foreach (var (query, status) in new[] { ("log_level=loud", 400), ("log_json=true", 400), ("node_id=other", 400), ("server_id=other", 400), ("log_include_location=true", 400) })
            (await agent.SendAsync("GET", $"/v1/agent/monitor?{query}")).Status.ShouldBe(status, query);
    }

    private static async Task<StreamReader> OpenAsync(RunningAgent agent, string path)
    {
        using var late = new CancellationTokenSource(Deadline);
        var response = await agent.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, late.Token);
        response.EnsureSuccessStatusCode();
        return new StreamReader(await response.Content.ReadAsStreamAsync(late.Token));
    }

    /// <summary>The events of the next line that has any.</summary>
    private static async Task<IReadOnlyList<JsonNode>> LineAsync(StreamReader stream)
    {
        using var late = new CancellationTokenSource(Deadline);
        while (true)
        {
            var line = JsonNode.Parse(await stream.ReadLineAsync(late.Token) ?? throw new EndOfStreamException())!;
            if (line["Events"] is JsonArray events) return [.. events.Select(e => e!)];
        }
    }
}
