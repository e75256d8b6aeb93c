// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

/// <summary>Every route, and the right it needs.</summary>
public sealed class RightsTests
{
    private const string Uuid = "00000000-0000-0000-0000-000000000000";

    /// <summary>As Nomad 2.0 has them.</summary>
    private const string Table =
        """
        GET /v1/agent/self: agent:read
        GET /v1/agent/members: node:read
        GET /v1/agent/health: nothing
        GET /v1/agent/servers: agent:read
        PUT /v1/agent/servers: agent:write
        PUT /v1/agent/join: nothing
        PUT /v1/agent/force-leave: agent:write
        PUT /v1/agent/leave: agent:write
        PUT /v1/agent/reload: agent:write
        GET /v1/agent/keyring/list: agent:write
        PUT /v1/agent/keyring/install: agent:write
        PUT /v1/agent/keyring/use: agent:write
        PUT /v1/agent/keyring/remove: agent:write
        GET /v1/status/leader: nothing
        GET /v1/status/peers: nothing
        GET /v1/regions: nothing
        GET /v1/jobs: list-jobs of each row
        PUT /v1/jobs: submit-job or register-job
        PUT /v1/jobs/parse: parse-job or submit-job
        PUT /v1/validate/job: read-job
        GET /v1/job/*: read-job
        PUT /v1/job/*: submit-job or register-job
        DELETE /v1/job/*: submit-job or deregister-job, with purge purge-job
        PUT /v1/job/*/plan: submit-job
        PUT /v1/job/*/evaluate: submit-job
        GET /v1/job/*/allocations: read-job
        GET /v1/job/*/evaluations: read-job
        GET /v1/job/*/deployments: read-job
        GET /v1/job/*/deployment: read-job
        GET /v1/job/*/summary: read-job
        GET /v1/job/*/versions: read-job
        PUT /v1/job/*/revert: submit-job
        PUT /v1/job/*/dispatch: dispatch-job
        GET /v1/job/*/scale: read-job or read-job-scaling
        PUT /v1/job/*/scale: scale-job or submit-job
        GET /v1/nodes: node:read
        GET /v1/node/*: node:read
        GET /v1/node/*/allocations: node:read
        PUT /v1/node/*/drain: node:write
        PUT /v1/node/*/eligibility: node:write
        PUT /v1/node/*/evaluate: node:write
        PUT /v1/node/*/purge: node:write
        GET /v1/allocations: read-job of each row
        GET /v1/allocation/*: read-job
        PUT /v1/allocation/*/stop: alloc-lifecycle
        GET /v1/evaluations: read-job of each row
        GET /v1/evaluation/*: read-job
        GET /v1/evaluation/*/allocations: read-job
        GET /v1/deployments: read-job of each row
        GET /v1/deployment/*: read-job
        GET /v1/deployment/allocations/*: read-job
        PUT /v1/deployment/fail/*: submit-job
        PUT /v1/deployment/pause/*: submit-job
        PUT /v1/deployment/allocation-health/*: submit-job
        PUT /v1/deployment/promote/*: submit-job
        PUT /v1/search: by context
        GET /v1/event/stream: by topic
        GET /v1/metrics: nothing
        GET /v1/agent/monitor: agent:read
        PUT /v1/system/gc: management
        GET /v1/operator/raft/configuration: management
        DELETE /v1/operator/raft/peer: management
        PUT /v1/operator/raft/transfer-leadership: management
        GET /v1/operator/autopilot/configuration: operator:read
        PUT /v1/operator/autopilot/configuration: operator:write
        GET /v1/operator/autopilot/health: operator:read
        GET /v1/operator/snapshot: operator snapshot-save
        PUT /v1/operator/snapshot: management
        PUT /v1/acl/bootstrap: nothing
        GET /v1/acl/policies: own policies, management all
        GET /v1/acl/policy/*: own policies, management all
        PUT /v1/acl/policy/*: management
        DELETE /v1/acl/policy/*: management
        GET /v1/acl/tokens: management
        PUT /v1/acl/token: management
        GET /v1/acl/token/self: own token
        GET /v1/acl/token/*: own token, management all
        PUT /v1/acl/token/*: management
        DELETE /v1/acl/token/*: management
        GET /v1/acl/roles: management
        GET /v1/acl/auth-methods: nothing
        GET /v1/acl/binding-rules: management
        GET /v1/client/stats: node:read
        PUT /v1/client/gc: node:write
        GET /v1/client/allocation/*/stats: read-job
        PUT /v1/client/allocation/*/restart: alloc-lifecycle
        PUT /v1/client/allocation/*/signal: alloc-lifecycle
        PUT /v1/client/allocation/*/gc: submit-job
        GET /v1/client/fs/ls/*: read-fs
        GET /v1/client/fs/stat/*: read-fs
        GET /v1/client/fs/cat/*: read-fs
        GET /v1/client/fs/readat/*: read-fs
        GET /v1/client/fs/stream/*: read-fs
        GET /v1/client/fs/logs/*: read-logs or read-fs
        GET /rpc/ping: server
        POST /rpc/members: server
        POST /rpc/keyring: server
        POST /rpc/node/register: node secret
        POST /rpc/node/*/heartbeat: node secret
        GET /rpc/node/*/allocations: node secret
        POST /rpc/node/*/update: node secret
        POST /rpc/acl/resolve: node secret
        POST /rpc/allocations: node secret
        """;

    private static IEnumerable<Route> Served => Routes.All.Where(r => r.Access is not (Access.Rpc or Access.LocalRpc or Access.NotServed));

    [Fact]
    public void EveryRouteStatesTheRightThatTheTableGivesIt() =>
        Routes.All.Where(r => r.Access != Access.NotServed).Select(r => $"{Method(r)} {r.Pattern}: {r.Right.Name}").ShouldBe(Table.Split('\n'));

    [Fact]
    public async Task WithoutATokenNothingIsAnsweredThatNeedsARight()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.WithLeaderAsync();
        foreach (var (route, method) in Served.SelectMany(r => r.Methods.Split('|').Select(m => (r, m))))
        {
            var (status, text) = await AskAsync(agent, method, route, token: null);
            switch (route.Right.Name)
            {
                // Bootstrapping is what opens the rest.
                case "nothing" or "own token":
                    if (route.Pattern != "/v1/acl/bootstrap") status.ShouldNotBe(403, route.Pattern);
                    break;
                case "by topic":
                    (status, text).ShouldBe((200, ""), route.Pattern);
                    break;
                default:
                    (status, text).ShouldBe((403, "Permission denied"), $"{method} {route.Pattern}");
                    break;
            }
        }
    }

    [Fact]
    public async Task WithJustTheRightOfTheTableEveryRouteAnswers()
    {
        await using var cluster = await AgentCluster.GuardedAsync();
        var agent = cluster.Agents["s1"];
        await agent.BootstrapAsync();
        var tokens = new Dictionary<string, string>();
        foreach (var route in Served.Where(r => r.Right.Name is not ("nothing" or "management") && !r.Right.Name.StartsWith("own", StringComparison.Ordinal)))
        {
            foreach (var right in route.Right.Name.Split(" or ").Select(r => r.Split(' ') is ["operator", var c] ? $"operator {c}" : r.Split([' ', ','])[0]))
            {
                if (!tokens.TryGetValue(right, out var token)) tokens[right] = token = await agent.TokenAsync($"p{tokens.Count}", RulesOf(right));
                (await AskAsync(agent, Method(route), route, token)).Status.ShouldNotBe(403, $"{Method(route)} {route.Pattern} with {right}");
            }
        }
    }

    private static string RulesOf(string right) => right switch
    {
        "by" => "node { policy = \"read\" }\nnamespace \"default\" { policy = \"read\" }",
        "operator snapshot-save" => "operator { capabilities = [\"snapshot-save\"] }",
        _ when right.Split(':') is [var part, var policy] => $"{part} {{ policy = \"{policy}\" }}",
        _ => $"namespace \"default\" {{ capabilities = [\"{right}\"] }}",
    };

    private static string Method(Route route) => route.Methods.Contains("PUT") ? "PUT" : route.Methods;

    /// <summary>The beginning of an answer: some never end.</summary>
    private static async Task<(int Status, string Text)> AskAsync(RunningAgent agent, string method, Route route, string? token)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), route.Pattern.Replace("*", Uuid, StringComparison.Ordinal));
        if (route.Pattern == "/v1/search") request.Content = new StringContent("{}");
        if (token is not null) request.Headers.Add("X-Nomad-Token", token);
        using var response = await agent.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var endless = response.IsSuccessStatusCode && response.Content.Headers.ContentLength is null && token is not null;
        return ((int)response.StatusCode, endless ? "" : await response.Content.ReadAsStringAsync());
    }
}
