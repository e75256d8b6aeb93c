// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

public sealed class NotServedTests
{
    [Fact]
    public async Task WhatNomadAnswersAndTheEngineDoesNotIsSaidByName()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var (method, path) in new[]
        {
            ("GET", "/v1/acl/role/x"), ("PUT", "/v1/acl/role"), ("PUT", "/v1/acl/auth-method"), ("PUT", "/v1/acl/binding-rule"), ("POST", "/v1/acl/token/onetime"), ("PUT", "/v1/acl/token/onetime/exchange"), ("POST", "/v1/acl/identity/client-introduction-token"), ("POST", "/v1/acl/login"), ("GET", "/v1/agent/host"), ("GET", "/v1/agent/pprof/goroutine"),
            ("GET", "/v1/agent/schedulers"), ("GET", "/v1/client/metadata"), ("GET", "/v1/client/allocation/x/exec"), ("GET", "/v1/client/allocation/x/checks"), ("PUT", "/v1/deployment/unblock/x"),
            ("GET", "/v1/evaluations/count"), ("DELETE", "/v1/evaluations"), ("PUT", "/v1/job/x/periodic/force"), ("PUT", "/v1/job/x/stable"), ("GET", "/v1/job/x/submission"), ("PUT", "/v1/job/x/versions/n/tag"),
            ("GET", "/v1/job/x/action"), ("GET", "/v1/job/x/services"), ("GET", "/v1/jobs/statuses"), ("GET", "/v1/namespaces"), ("PUT", "/v1/namespace"), ("GET", "/v1/namespace/x"), ("GET", "/v1/node/pools"),
            ("GET", "/v1/node/pool/default"), ("GET", "/v1/operator/scheduler/configuration"), ("GET", "/v1/operator/keyring/keys"), ("POST", "/v1/operator/utilization"), ("GET", "/v1/plugins"),
            ("GET", "/v1/plugin/csi/x"), ("GET", "/v1/quotas"), ("GET", "/v1/scaling/policies"), ("PUT", "/v1/search/fuzzy"), ("GET", "/v1/services"), ("GET", "/v1/service/x"), ("PUT", "/v1/system/reconcile/summaries"),
            ("GET", "/v1/var/x"), ("GET", "/v1/vars"), ("GET", "/v1/volumes"), ("GET", "/v1/volume/csi/x"), ("GET", "/.well-known/jwks.json"),
        })
            (await agent.SendAsync(method, path)).ShouldBe((501, $"nomadstack's embedded engine does not answer {method} {path}; HashiCorp's Nomad does."));
    }

    [Fact]
    public async Task WhatNobodyHasIsNotFoundAndSaysSo()
    {
        await using var cluster = await AgentCluster.OneAsync();
        foreach (var path in new[] { "/v2/jobs", "/v1/flavours", "/favicon.ico" })
            (await cluster.Agents["s1"].SendAsync("GET", path)).ShouldBe((404, $"Neither nomadstack's embedded engine nor HashiCorp's Nomad has {path}."));
    }

    [Fact]
    public async Task ABrowserIsToldWhatThisIs()
    {
        await using var cluster = await AgentCluster.OneAsync();
        foreach (var path in new[] { "/", "/ui", "/ui/jobs/web@default" })
        {
            var (status, text) = await cluster.Agents["s1"].SendAsync("GET", path);
            (status, text.Contains("nomadstack's embedded engine")).ShouldBe((200, true), path);
        }

        (await cluster.Agents["s1"].SendAsync("POST", "/", "{}")).Status.ShouldBe(405);
    }
}
