// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http.Filters;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>Filters, pages and orders of lists.</summary>
public sealed class ListingTests
{
    private static readonly JsonObject s_row = (JsonObject)JsonNode.Parse(
        """{"ID":"web-1","Status":"running","Priority":50,"Stop":false,"Meta":{"owner":"ops","a.b":"c"},"Datacenters":["dc1","dc2"],"Periodic":null,"Empty":[],"Update":{"MaxParallel":2}}""")!;

    [Theory]
    [InlineData("Status == \"running\"", true)]
    [InlineData("Status == running", true)]
    [InlineData("Status != `running`", false)]
    [InlineData("Priority == 50 and Stop == false", true)]
    [InlineData("Status == dead or Priority == 50", true)]
    [InlineData("not Status == dead", true)]
    [InlineData("not (Status == running or Priority == 1)", false)]
    [InlineData("Status == dead and Priority == 1 or Stop == false", true)]
    [InlineData("Status == running or Priority == 1 and Stop == true", true)]
    [InlineData("\"dc2\" in Datacenters", true)]
    [InlineData("\"dc3\" not in Datacenters", true)]
    [InlineData("Datacenters contains \"dc1\"", true)]
    [InlineData("Datacenters not contains dc1", false)]
    [InlineData("ID contains eb", true)]
    [InlineData("ID matches \"^web-[0-9]$\"", true)]
    [InlineData("ID not matches `^db`", true)]
    [InlineData("Meta.owner == ops", true)]
    [InlineData("Meta[\"a.b\"] == c", true)]
    [InlineData("\"/Meta/a.b\" == c", true)]
    [InlineData("Meta.nobody == ops", false)]
    [InlineData("Meta.nobody != ops", true)]
    [InlineData("owner in Meta", true)]
    [InlineData("Update.MaxParallel == 2", true)]
    [InlineData("Empty is empty", true)]
    [InlineData("Datacenters is not empty", true)]
    [InlineData("Periodic is empty", true)]
    [InlineData("Periodic.Enabled == true", false)]
    public void AFilterHoldsAsItReads(string filter, bool holds) => FilterParser.Parse(filter).Holds(s_row).ShouldBe(holds);

    [Theory]
    [InlineData("this is (not valid", "behind \"is\"")]
    [InlineData("Status ==", "a value is missing at the end")]
    [InlineData("Status = running", "character 8: '=' means nothing here")]
    [InlineData("Status == \"run", "character 11: the quote is not closed")]
    [InlineData("(Status == running", "a ) is missing at the end")]
    [InlineData("Status == running)", "character 18: \")\" is not expected here")]
    [InlineData("Status", "behind \"Status\" an operator is missing")]
    [InlineData("ID matches \"(\"", "is no regular expression")]
    [InlineData("\"x\" == Status", "is a value, and a name is expected")]
    public void AFilterThatCannotBeReadSaysWhere(string filter, string complaint) =>
        Should.Throw<FilterException>(() => FilterParser.Parse(filter)).Message.ShouldContain(complaint);

    [Fact]
    public void AFilterOfAThousandParenthesesIsRefused() =>
        Should.Throw<FilterException>(() => FilterParser.Parse(new string('(', 100_000))).Message.ShouldContain("nested");

    [Fact]
    public void AFieldThatNoRowHasIsAMistake() =>
        Should.Throw<FilterException>(() => FilterParser.Parse("Stauts == x").Holds(s_row)).Message.ShouldBe("there is no field \"Stauts\"");

    [Fact]
    public async Task ListsAreFilteredOrderedAndPaged()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var name in new[] { "c", "a", "b", "ab", "abc" }) await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service(name));

        (await IdsAsync(agent, "")).ShouldBe(["a", "ab", "abc", "b", "c"]);
        (await IdsAsync(agent, "?reverse=true")).ShouldBe(["c", "b", "abc", "ab", "a"]);
        (await IdsAsync(agent, "?prefix=ab")).ShouldBe(["ab", "abc"]);
        (await IdsAsync(agent, $"?filter={Uri.EscapeDataString("ID matches \"^.$\" and Name != \"b\"")}")).ShouldBe(["a", "c"]);
        (await IdsAsync(agent, $"?filter={Uri.EscapeDataString("\"dc1\" in Datacenters and Priority == 50")}")).Count.ShouldBe(5);

        var (all, token, pages) = (new List<string>(), "", 0);
        do
        {
            using var page = await agent.Http.GetAsync($"/v1/jobs?per_page=2&next_token={Uri.EscapeDataString(token)}");
            all.AddRange(JsonNode.Parse(await page.Content.ReadAsStringAsync())!.AsArray().Select(j => (string)j!["ID"]!));
            token = page.Headers.TryGetValues("X-Nomad-NextToken", out var next) ? next.Single() : "";
            pages++;
        }
        while (token.Length > 0);
        (pages, string.Join(' ', all)).ShouldBe((3, "a ab abc b c"));

        (await agent.SendAsync("GET", "/v1/jobs?filter=x(")).Status.ShouldBe(400);
        (await agent.SendAsync("GET", "/v1/jobs?filter=Nmae==x")).ShouldBe((400, "failed to read filter expression: there is no field \"Nmae\""));
        (await agent.SendAsync("GET", "/v1/jobs?per_page=some")).ShouldBe((400, "per_page: \"some\" is not a number of rows"));
        (await agent.SendAsync("GET", "/v1/jobs?reverse=perhaps")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task EveryListHasTheOptionsOfLists()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("n1", agent.Server.Config.Advertise.Rpc);
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web", count: 2));
        await cluster.EventuallyAsync("deployed", async () => (string?)(await agent.GetAsync("/v1/job/web/deployment"))?["Status"] == "successful");

        foreach (var (list, filter, more) in new[]
        {
            ("jobs", "ID == web", ""), ("nodes", "Name == n1", ""), ("allocations", "ClientStatus == running", ""), ("evaluations", "JobID == web", "&job=web"), ("deployments", "Status == successful", ""),
        })
        {
            var all = (await agent.GetAsync($"/v1/{list}"))!.AsArray().Count;
            (await agent.GetAsync($"/v1/{list}?filter={Uri.EscapeDataString(filter)}{more}"))!.AsArray().Count.ShouldBe(all, list);
            (await agent.GetAsync($"/v1/{list}?filter={Uri.EscapeDataString($"not {filter}")}"))!.AsArray().ShouldBeEmpty(list);
            (await agent.GetAsync($"/v1/{list}?per_page=1"))!.AsArray().Count.ShouldBe(1, list);
        }

        (await agent.GetAsync("/v1/evaluations?job=other"))!.AsArray().ShouldBeEmpty();
        (await agent.GetAsync("/v1/evaluations?status=blocked"))!.AsArray().ShouldBeEmpty();
        ((await agent.GetAsync("/v1/allocations?task_states=false"))![0]!["TaskStates"]).ShouldBeNull();
        ((await agent.GetAsync("/v1/allocations"))![0]!["TaskStates"]).ShouldNotBeNull();
        ((await agent.GetAsync("/v1/nodes?resources=true"))![0]!["NodeResources"]).ShouldNotBeNull();
        ((await agent.GetAsync("/v1/nodes"))![0]!["NodeResources"]).ShouldBeNull();
        ((await agent.GetAsync("/v1/nodes?os=true"))![0]!["Attributes"]!["os.name"]).ShouldNotBeNull();
    }

    private static async Task<List<string>> IdsAsync(RunningAgent agent, string query) => [.. (await agent.GetAsync($"/v1/jobs{query}"))!.AsArray().Select(j => (string)j!["ID"]!)];
}
