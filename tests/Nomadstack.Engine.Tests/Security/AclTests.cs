// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Tests.Conformance;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

public sealed class AclTests
{
    private const string Secret = "11111111-2222-4333-8444-555555555555";
    private const string Unknown = "99999999-2222-4333-8444-555555555555";

    [Fact]
    public async Task TheFirstTokenIsMadeWithTheSecretThatWasAskedForAsSoonAsThereIsALeader()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        var bootstrap = agent.SendAsync("PUT", "/v1/acl/bootstrap", $$"""{"BootstrapSecret":"{{Secret}}"}""");
        var (status, text) = await bootstrap;
        status.ShouldBe(200, text);
        var token = JsonNode.Parse(text)!;
        (((string)token["SecretID"]!), (string)token["Type"]!, (bool)token["Global"]!, (string)token["Name"]!).ShouldBe((Secret, "management", true, "Bootstrap Token"));

        (await agent.SendAsync("PUT", "/v1/acl/bootstrap")).ShouldBe((400, $"ACL bootstrap already done (reset index: {token["CreateIndex"]})"));
        (await agent.SendAsync("GET", "/v1/jobs", token: Secret)).Status.ShouldBe(200);
        await cluster.StopAsync("s1");
        agent = await cluster.StartAsync("s1");
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap")).ShouldBe((400, $"ACL bootstrap already done (reset index: {token["CreateIndex"]})"));
        (await agent.SendAsync("GET", "/v1/jobs", token: Secret)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task ABootstrapSecretIsAUuidOrNone()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap", """{"BootstrapSecret":"hello"}""")).ShouldBe((400, "invalid acl token"));
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap", "hello")).Status.ShouldBe(400);
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap", """{"BootstrapSecret":""}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task WhoMayWriteIntoTheLeadersFolderMakesAFirstTokenAgain()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        var first = await agent.BootstrapAsync();
        var index = (long)(await agent.GetAsync("/v1/acl/token/self"))!["CreateIndex"]!;
        var file = Path.Combine(cluster.DataDir("s1"), "server", "acl-bootstrap-reset");
        await File.WriteAllTextAsync(file, "1");
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap")).ShouldBe((400, $"Invalid bootstrap reset index (specified 1, reset index: {index})"));
        await File.WriteAllTextAsync(file, $"{index}\n");
        var (status, text) = await agent.SendAsync("PUT", "/v1/acl/bootstrap");
        status.ShouldBe(200, text);

        (await agent.SendAsync("GET", "/v1/jobs", token: first)).Status.ShouldBe(200);
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap")).Text.ShouldStartWith("Invalid bootstrap reset index");
    }

    [Fact]
    public async Task WithoutAccessControlThereIsNothingToBeMade()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var (method, path) in new[] { ("PUT", "/v1/acl/bootstrap"), ("GET", "/v1/acl/tokens"), ("GET", "/v1/acl/policies"), ("GET", "/v1/acl/roles"), ("PUT", "/v1/acl/policy/x"), ("GET", $"/v1/acl/token/{Secret}") })
            (await agent.SendAsync(method, path)).ShouldBe((400, "ACL support disabled"), path);
        ((string)(await agent.GetAsync("/v1/acl/token/self"))!["AccessorID"]!).ShouldBe("acls-disabled");
    }

    [Fact]
    public async Task ATokenIsShownInEitherHeaderAndNotInTheQuery()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap", $$"""{"BootstrapSecret":"{{Secret}}"}""")).Status.ShouldBe(200);
        using var bearer = new HttpRequestMessage(HttpMethod.Get, "/v1/jobs") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", Secret) } };
        (await agent.Http.SendAsync(bearer)).IsSuccessStatusCode.ShouldBeTrue();
        (await agent.SendAsync("GET", $"/v1/jobs?token={Secret}")).ShouldBe((400, "The parameter \"token\" of GET /v1/jobs is not known to nomadstack's embedded engine."));
        (await agent.SendAsync("GET", "/v1/jobs", token: Unknown)).ShouldBe((403, "ACL token not found"));
        (await agent.SendAsync("GET", "/v1/acl/token/self", token: Unknown)).ShouldBe((403, "ACL token not found"));
        ((string)(await agent.GetAsync("/v1/acl/token/self"))!["AccessorID"]!).ShouldBe("anonymous");
    }

    [Fact]
    public async Task ManagementMakesTokensAndTheirHoldersSeeTheirOwn()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        var secret = await agent.TokenAsync("readers", "namespace \"default\" { policy = \"read\" }");
        var own = JsonNode.Parse((await agent.SendAsync("GET", "/v1/acl/token/self", token: secret)).Text)!;
        var accessor = (string)own["AccessorID"]!;
        own["Policies"]!.AsArray().Select(p => (string)p!).ShouldBe(["readers"]);

        (await agent.SendAsync("GET", $"/v1/acl/token/{accessor}", token: secret)).Status.ShouldBe(200);
        (await agent.SendAsync("GET", $"/v1/acl/token/{Unknown}", token: secret)).ShouldBe((403, "Permission denied"));
        (await agent.SendAsync("GET", $"/v1/acl/token/{Unknown}")).ShouldBe((404, "ACL token not found"));
        JsonNode.Parse((await agent.SendAsync("GET", "/v1/acl/policies", token: secret)).Text)!.AsArray().ShouldHaveSingleItem();
        (await agent.SendAsync("GET", "/v1/acl/policy/readers", token: secret)).Text.ShouldContain("policy = \\u0022read\\u0022");
        (await agent.GetAsync("/v1/acl/tokens"))!.AsArray().Select(t => t!["SecretID"]).ShouldAllBe(s => s == null);

        // Changed, and taken away.
        (await agent.SendAsync("PUT", "/v1/jobs", JobsOf.Service("web"), secret)).ShouldBe((403, "Permission denied"));
        await agent.JsonAsync("PUT", "/v1/acl/policy/readers", """{"Name":"readers","Rules":"namespace \"default\" { policy = \"write\" }"}""");
        (await agent.SendAsync("PUT", "/v1/jobs", JobsOf.Service("web"), secret)).Status.ShouldBe(200);
        var changed = (await agent.JsonAsync("PUT", $"/v1/acl/token/{accessor}", $$"""{"AccessorID":"{{accessor}}","Name":"other","Type":"client","Policies":["none"]}"""))!;
        ((string)changed["SecretID"]!, (string)changed["Name"]!).ShouldBe((secret, "other"));
        (await agent.SendAsync("GET", "/v1/jobs", token: secret)).ShouldBe((403, "Permission denied"));
        await agent.JsonAsync("DELETE", $"/v1/acl/token/{accessor}");
        (await agent.SendAsync("GET", "/v1/jobs", token: secret)).ShouldBe((403, "ACL token not found"));
        (await agent.SendAsync("DELETE", $"/v1/acl/token/{accessor}")).Status.ShouldBe(404);
        await agent.JsonAsync("DELETE", "/v1/acl/policy/readers");
        (await agent.SendAsync("GET", "/v1/acl/policy/readers")).ShouldBe((404, "ACL policy not found"));
        foreach (var list in new[] { "roles", "auth-methods", "binding-rules" }) (await agent.GetAsync($"/v1/acl/{list}"))!.AsArray().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{"Type":"king"}""", "token 0 invalid: token type must be client or management")]
    [InlineData("""{"Type":"client"}""", "token 0 invalid: client token missing policies or roles")]
    [InlineData("""{"Type":"management","Policies":["a"]}""", "token 0 invalid: management token cannot be associated with policies or roles")]
    [InlineData("""{"Type":"client","Policies":["a"],"Roles":[{"ID":"x"}]}""", "Roles: is something that HashiCorp's Nomad does and the embedded engine does not")]
    [InlineData("""{"Type":"client","Policies":["a"],"ExpirationTTL":"25h"}""", "token 0 invalid: expiration time cannot be more than 24h0m0s in the future (was 25h0m0s)")]
    [InlineData("""{"Type":"client","Policies":["a"],"ExpirationTTL":"soon"}""", "ExpirationTTL: \"soon\" is not a duration")]
    [InlineData("""{"Type":"management","SecretID":"11111111-2222-4333-8444-555555555555"}""", "token 0 invalid: a given secret ID must be a UUID, and of a client token")]
    public async Task ATokenThatCannotBeIsRefused(string body, string complaint)
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        await cluster.Agents["s1"].BootstrapAsync();
        (await cluster.Agents["s1"].SendAsync("PUT", "/v1/acl/token", body)).ShouldBe((400, complaint));
    }

    [Theory]
    [InlineData("bad", """{"Name":"bad","Rules":"namespace \"x\" { policy = \"rule\" }"}""", "policy 0 invalid: failed to parse rules: line 1: namespace \"x\": policy is \"rule\" and not one of deny, read, write, scale")]
    [InlineData("bad", """{"Name":"other"}""", "ACL policy name does not match request path")]
    [InlineData("b_d", "{}", "policy 0 invalid: invalid name 'b_d'")]
    [InlineData("bad", """{"JobACL":{"JobID":"x"}}""", "JobACL: is something that HashiCorp's Nomad does and the embedded engine does not")]
    public async Task APolicyThatCannotBeIsRefused(string name, string body, string complaint)
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        await cluster.Agents["s1"].BootstrapAsync();
        (await cluster.Agents["s1"].SendAsync("PUT", $"/v1/acl/policy/{name}", body)).ShouldBe((400, complaint));
    }

    [Fact]
    public async Task ATokenThatExpiresIsOfNoUseAndThenCollected()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        var token = (await agent.JsonAsync("PUT", "/v1/acl/token", """{"Type":"client","Policies":["a"],"ExpirationTTL":"50ms"}"""))!;
        ((string?)token["ExpirationTime"]).ShouldNotBeNull();

        await cluster.EventuallyAsync("it has expired", async () => await agent.SendAsync("GET", "/v1/acl/token/self", token: (string)token["SecretID"]!) == (403, "ACL token expired"));
        await agent.JsonAsync("PUT", "/v1/system/gc");
        (await agent.SendAsync("GET", $"/v1/acl/token/{token["AccessorID"]}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task ThePolicyOfTheAnonymousIsForWhoeverShowsNoToken()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        await agent.JsonAsync("PUT", "/v1/acl/policy/anonymous", """{"Rules":"namespace \"default\" { policy = \"read\" }"}""");
        using var nobody = new HttpClient { BaseAddress = agent.Http.BaseAddress };
        (await nobody.GetAsync("/v1/jobs")).IsSuccessStatusCode.ShouldBeTrue();
        ((int)(await nobody.GetAsync("/v1/nodes")).StatusCode).ShouldBe(403);
    }

    [Fact]
    public async Task AListOfAllNamespacesHasWhatItsCallerMaySeeAndAnotherNamespaceIsClosed()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
        var elsewhere = await agent.TokenAsync("elsewhere", "namespace \"other\" { policy = \"write\" }");
        (await agent.GetAsync("/v1/jobs?namespace=*"))!.AsArray().ShouldHaveSingleItem();
        foreach (var list in new[] { "jobs", "allocations", "evaluations", "deployments" })
        {
            (await agent.SendAsync("GET", $"/v1/{list}?namespace=*", token: elsewhere)).ShouldBe((200, "[]"), list);
            (await agent.SendAsync("GET", $"/v1/{list}", token: elsewhere)).Status.ShouldBe(403, list);
        }

        // The query's namespace is his, the job's is not.
        (await agent.SendAsync("PUT", "/v1/jobs?namespace=other", new JsonObject { ["Job"] = new JsonObject(JobsOf.ServiceJob("web").Select(p => KeyValuePair.Create(p.Key, p.Value?.DeepClone()))) { ["Namespace"] = "default" } }.ToJsonString(), elsewhere)).Status.ShouldBe(403);
        (await agent.SendAsync("PUT", "/v1/search", """{"Prefix":"","Context":"nodes"}""", elsewhere)).Status.ShouldBe(403);
    }

    [Fact]
    public async Task AStreamOfEventsEndsWithItsToken()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        var secret = await agent.TokenAsync("readers", "namespace \"default\" { policy = \"read\" }");
        var accessor = (string)JsonNode.Parse((await agent.SendAsync("GET", "/v1/acl/token/self", token: secret)).Text)!["AccessorID"]!;
        (await agent.SendAsync("GET", "/v1/event/stream", token: secret)).ShouldBe((200, ""));
        (await agent.SendAsync("GET", "/v1/event/stream?topic=Node", token: secret)).ShouldBe((200, ""));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/event/stream?topic=Job") { Headers = { { "X-Nomad-Token", secret } } };
        using var stream = await agent.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync());

        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("seen"));
        (await lines.ReadLineAsync().WaitAsync(AgentCluster.Deadline)).ShouldBe("{}");
        (await lines.ReadLineAsync().WaitAsync(AgentCluster.Deadline))!.ShouldContain("seen");
        await agent.JsonAsync("DELETE", $"/v1/acl/token/{accessor}");
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("unseen"));
        (await lines.ReadToEndAsync().WaitAsync(AgentCluster.Deadline)).ShouldNotContain("unseen");
    }

    [Fact]
    public async Task ASnapshotBringsItsTokensAndEndsThoseThatItDoesNotHave()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        var first = await agent.BootstrapAsync();
        var snapshot = await agent.Http.GetByteArrayAsync("/v1/operator/snapshot");
        var later = await agent.TokenAsync("later", "agent { policy = \"read\" }");
        (await agent.Http.PutAsync("/v1/operator/snapshot", new ByteArrayContent(snapshot))).IsSuccessStatusCode.ShouldBeTrue();

        (await agent.SendAsync("GET", "/v1/agent/self", token: later)).ShouldBe((403, "ACL token not found"));
        (await agent.SendAsync("GET", "/v1/agent/self", token: first)).Status.ShouldBe(200);
        (await agent.SendAsync("PUT", "/v1/acl/bootstrap")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task AFollowerPassesTheCallersTokenOnAndTheLeaderJudges()
    {
        await using var cluster = new AgentCluster();
        foreach (var (name, expect, join) in new[] { ("s1", 1, ""), ("s2", 0, "s1") })
            cluster.Configure(name, expect, [.. new[] { join }.Where(j => j.Length > 0)])["acl"] = new JsonObject { ["enabled"] = true };
        foreach (var name in new[] { "s1", "s2" }) await cluster.StartAsync(name);
        var (leader, follower) = (cluster.Agents["s1"], cluster.Agents["s2"]);
        await cluster.EventuallyAsync("the first token, through the follower", async () =>
            (await follower.SendAsync("PUT", "/v1/acl/bootstrap", $$"""{"BootstrapSecret":"{{Secret}}"}""")).Status == 200);

        foreach (var (path, body) in new[] { ("/v1/jobs", JobsOf.Service("web")), ("/v1/system/gc", "") })
        {
            using var bearer = new HttpRequestMessage(HttpMethod.Put, path) { Headers = { Authorization = new AuthenticationHeaderValue("bearer", Secret) }, Content = new StringContent(body) };
            (await follower.Http.SendAsync(bearer)).IsSuccessStatusCode.ShouldBeTrue(path);
            (await follower.SendAsync("PUT", path, body)).ShouldBe((403, "Permission denied"), path);
            (await follower.SendAsync("PUT", path, body, Unknown)).ShouldBe((403, "ACL token not found"), path);
        }

        // What a follower answers itself it judges by what it has applied.
        await cluster.EventuallyAsync("it has the token", async () => (await follower.SendAsync("GET", "/v1/agent/self", token: Secret)).Status == 200);
        (await follower.SendAsync("GET", "/v1/jobs?stale", token: Secret)).Status.ShouldBe(200);
        (await follower.SendAsync("GET", "/v1/jobs?stale")).Status.ShouldBe(403);
        (await leader.SendAsync("GET", "/v1/job/web", token: Secret)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task AClientThatControlsAccessAsksTheServersAndItsOwnCallsNeedNoToken()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        var block = cluster.Configure("c1", expect: 0);
        block.Remove("server");
        block["client"] = new JsonObject { ["enabled"] = true, ["network_interface"] = "lo", ["servers"] = new JsonArray(agent.Server.Config.Advertise.Rpc) };
        block["acl"] = new JsonObject { ["enabled"] = true };
        var config = ConfigReader.Read(block);
        using var stop = new CancellationTokenSource();
        using var loggers = new OneLog(new MemoryLog());
        await using var client = await NomadClient.StartAsync(config, AgentTls.Open(config), TimeProvider.System, loggers, CancellationToken.None);
        await using var api = new ApiHost(new AgentParts(config, AgentTls.Open(config), TimeProvider.System, null, client), new MemoryLog());
        await api.StartAsync(CancellationToken.None);
        var running = client.RunAsync(stop.Token);
        await cluster.EventuallyAsync("the node is ready", async () => (await agent.GetAsync("/v1/nodes"))!.AsArray().Any(n => (string?)n!["Status"] == "ready"));

        using var http = new HttpClient { BaseAddress = new Uri($"http://{config.Advertise.Http}") };
        var readers = await agent.TokenAsync("nodes", "node { policy = \"read\" }");
        foreach (var (token, path, status) in new[]
        {
            ("", "/v1/client/stats", 403), (Unknown, "/v1/client/stats", 403), (readers, "/v1/client/stats", 200), (readers, "/v1/agent/self", 403), (readers, "/v1/nodes", 200), (readers, "/v1/jobs", 403),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (token.Length > 0) request.Headers.Add("X-Nomad-Token", token);
            using var answer = await http.SendAsync(request);
            ((int)answer.StatusCode).ShouldBe(status, $"{path} with {token}: {await answer.Content.ReadAsStringAsync()}");
        }

        // Through a server to the client, which judges as the server does.
        (await agent.SendAsync("GET", $"/v1/client/stats?node_id={client.Agent.Node.ID}", token: readers)).Status.ShouldBe(200);

        // While the servers are away, who was known goes on.
        await cluster.StopAsync("s1");
        using var known = new HttpRequestMessage(HttpMethod.Get, "/v1/client/stats") { Headers = { { "X-Nomad-Token", readers } } };
        (await http.SendAsync(known)).IsSuccessStatusCode.ShouldBeTrue();
        await stop.CancelAsync();
        await running;
    }
}
