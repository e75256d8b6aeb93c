// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>Every route with every parameter and every field of its body: what it does not do, it says by name.</summary>
public sealed class EveryParameterTests
{
    private const string Uuid = "00000000-0000-0000-0000-000000000000";

    /// <summary>All that HashiCorp's client and command line send anywhere, 1.1 to 2.0.</summary>
    private static readonly string[] s_parameters =
    [
        "all", "address", "cas", "diff_tag", "diff_version", "diffs", "eval_priority", "filter", "follow", "format", "global", "id", "idempotency_token", "job", "limit", "log_json", "log_level",
        "meta", "next_token", "no_shutdown_delay", "node", "node_id", "offset", "origin", "os", "path", "per_page", "plain", "prefix", "prune", "purge", "related", "reschedule", "resources", "reverse",
        "server_id", "status", "task", "task_states", "topic", "type", "version",
    ];

    private static IEnumerable<Route> Served => Routes.All.Where(r => r.Access is not (Access.Rpc or Access.LocalRpc or Access.NotServed));

    [Fact]
    public async Task AParameterThatACallDoesNotKnowIsRefusedByName()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var (route, method) in Served.SelectMany(r => r.Methods.Split('|').Select(m => (r, m))))
        {
            foreach (var name in s_parameters.Append("flavour").Where(p => !route.Parameters.Contains(p)))
            {
                var (status, text) = await agent.SendAsync(method, $"{Path(route)}?{name}=x");
                (status, text).ShouldBe((400, $"The parameter \"{name}\" of {method} {route.Pattern} is not known to nomadstack's embedded engine."), $"{method} {route.Pattern}");
            }
        }
    }

    [Fact]
    public async Task ACallForAnotherRegionFindsNoPathToIt()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var route in Served)
            (await agent.SendAsync(route.Methods.Split('|')[^1], $"{Path(route)}?region=europe")).ShouldBe((500, "No path to region (\"europe\"; this one is \"global\")"), route.Pattern);
        (await agent.SendAsync("GET", "/v1/jobs?region=global")).Status.ShouldBe(200);

        var job = JobsOf.ServiceJob("web");
        job["Region"] = "europe";
        (await agent.SendAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = job.DeepClone() }.ToJsonString())).Text.ShouldContain("No path to region");
        (await agent.SendAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = JobsOf.ServiceJob("web"), ["Region"] = "europe" }.ToJsonString())).Text.ShouldContain("No path to region");
        ((string)(await agent.JsonAsync("PUT", "/v1/validate/job", new JsonObject { ["Job"] = job.DeepClone() }.ToJsonString()))!["Error"]!).ShouldContain("No path to region");
    }

    [Fact]
    public async Task AFieldOfABodyThatACallDoesNotKnowOrIsOfAnotherKindIsRefusedByItsPath()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var route in Served.Where(r => r.Body != Bodies.Raw && r.Methods.Contains("PUT")))
        {
            var schema = route.Body ?? Bodies.None;
            (await agent.SendAsync("PUT", Path(route), "{\"Flavour\":\"mint\"}")).ShouldBe((400, "Flavour: is not known to the embedded engine"), route.Pattern);
            foreach (var field in schema.Fields.Where(f => f.Kind != FieldKind.Any))
            {
                foreach (var value in new[] { "\"x\"", "5", "true", "[5]", "{\"a\":5}" }.Where(v => !Fits(field, v)))
                {
                    var (status, text) = await agent.SendAsync("PUT", Path(route), $"{{\"{field.Json}\":{value}}}");
                    (status, text.StartsWith($"{field.Json}", StringComparison.Ordinal)).ShouldBe((400, true), $"{route.Pattern} {field.Json}={value}: {status} {text}");
                }
            }
        }
    }

    [Fact]
    public async Task ACallWithoutABodyTakesNoOther()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        (await agent.SendAsync("PUT", "/v1/system/gc", "{\"Hard\":true}")).ShouldBe((400, "Hard: is not known to the embedded engine"));
        foreach (var nothing in new[] { "", "null", "{}", " null\n" }) (await agent.SendAsync("PUT", "/v1/system/gc", nothing)).Status.ShouldBe(200, nothing);
        (await agent.SendAsync("PUT", "/v1/job/web/evaluate", "{\"JobID\":\"other\"}")).ShouldBe((400, "JobID: is \"other\", and the path says \"web\""));
    }

    [Theory]
    [InlineData("{\"Job\":{\"ID\":\"a\",\"ID\":\"b\"}}", "json: Job.ID is there twice")]
    [InlineData("{\"Job\":{\"Meta\":{\"a\":\"1\",\"a\":\"2\"}}}", "json: Job.Meta.a is there twice")]
    [InlineData("{\"Job\":{\"Name\":\"\\ud800\"}}", "json: Job.Name has one half of a UTF-16 surrogate pair")]
    [InlineData("{\"Job\":{\"Datacenters\":[\"a\",\"\\udc00\"]}}", "json: Job.Datacenters[1] has one half of a UTF-16 surrogate pair")]
    [InlineData("{\"Job\":{\"Count\":\n 5x}}", "json: line 2, byte 2, in Job.Count, is not JSON")]
    [InlineData("{\"Job\":", "json: line 1, byte 8, in Job, is not JSON")]
    [InlineData("[]", "json: an object is expected")]
    [InlineData("", "EOF")]
    public async Task WhatIsWrongWithTheJsonIsSaidByItsFieldAndPlace(string body, string complaint)
    {
        await using var cluster = await AgentCluster.OneAsync();
        (await cluster.Agents["s1"].SendAsync("PUT", "/v1/jobs", body)).ShouldBe((400, complaint));
    }

    [Fact]
    public async Task BytesThatAreNotUtf8AreSaidByTheirPlace()
    {
        await using var cluster = await AgentCluster.OneAsync();
        using var content = new ByteArrayContent([.. "{\"Job\":{\n\"Name\":\"a"u8, 0xFF, .. "\"}}"u8]);
        using var answer = await cluster.Agents["s1"].Http.PutAsync("/v1/jobs", content);
        ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()).ShouldBe((400, "json: line 2, byte 10 is not UTF-8"));
        var deep = string.Concat(Enumerable.Repeat("[", 100_000));
        (await cluster.Agents["s1"].SendAsync("PUT", "/v1/jobs", $"{{\"Job\":{deep}")).Text.ShouldContain("is in more than 64 lists and objects");
    }

    private static string Path(Route route) => route.Pattern.Replace("*", route.Pattern.StartsWith("/v1/job/", StringComparison.Ordinal) ? "web" : Uuid, StringComparison.Ordinal);

    private static bool Fits(JobField field, string value) => field.Kind switch
    {
        FieldKind.Text => value == "\"x\"",
        FieldKind.Number or FieldKind.Duration => value == "5",
        FieldKind.Flag => value == "true",
        _ => false,
    };
}
