// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Consul;
using Nomadstack.Ground.Http;
using Nomadstack.Nomad;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

/// <summary>The tokens of client nodes in both products: found by their mark, made once, deleted with the node, and poor.</summary>
public sealed class NodeTokensTests
{
    private static readonly NodeEntry s_node = new() { Id = "11111111-2222-3333-4444-555555555555", Name = "web \"1\"", Address = "10.0.0.4", KeyPin = new string('a', 64), Kind = NodeKind.Client };

    private static readonly NodeMark s_mark = NodeMark.Of(s_node, GivenCredentials.Own);

    [Fact]
    public void AMarkIsReadAsItIsWritten()
    {
        NodeMark.Parse(s_mark.ToString()).ShouldBe(s_mark);
        foreach (var other in new[] { null, "", "alice", "nomadstack-node", s_mark + " more", s_mark.ToString().Replace("1111", "x", StringComparison.Ordinal) }) NodeMark.Parse(other).ShouldBeNull(other);
    }

    [Fact]
    public void ATokenIsOverWithItsNodeAndItsKeyAndNotBefore()
    {
        s_mark.IsOver(With(s_node)).ShouldBeFalse();
        s_mark.IsOver(With()).ShouldBeFalse("it may have joined a moment ago");
        s_mark.IsOver(With(s_node with { Removed = true })).ShouldBeTrue();
        s_mark.IsOver(With(s_node with { KeyPin = new string('b', 64) })).ShouldBeTrue("another machine in its place");
        s_mark.IsOver(With(s_node with { Kind = NodeKind.Server })).ShouldBeTrue();

        static ClusterDocument With(params NodeEntry[] nodes) => new() { ClusterId = "c", CaPin = "p", CreatedAt = default, Nodes = nodes.ToDictionary(n => n.Id) };
    }

    [Fact]
    public async Task NomadsTokenOfANodeIsMadeOnceAndReads()
    {
        var (tokens, server) = Nomads(request => request.Method == HttpMethod.Get ? (200, "[]") : (200, """{"SecretID":"s3cret","AccessorID":"acc"}"""));

        (await tokens.FindOrMakeAsync(s_node, default)).Try(out var made).ShouldBeTrue();

        made![GivenCredentials.Own].ShouldBe("s3cret");
        var policy = (string)JsonNode.Parse(server.Asked.Single(a => a.Call == "PUT /v1/acl/policy/nomadstack-node").Body)!["Rules"]!;
        policy.ShouldNotContain("write");
        policy.ShouldNotContain("submit");
        var body = JsonNode.Parse(server.Asked.Single(a => a.Call == "PUT /v1/acl/token").Body)!;
        ((string?)body["Name"]).ShouldBe(s_mark.ToString());
        ((string?)body["Type"]).ShouldBe("client");
        body["ExpirationTTL"].ShouldBeNull();
    }

    [Fact]
    public async Task NomadsTokenThatIsThereIsRead()
    {
        var (tokens, server) = Nomads(request => request.RequestUri!.AbsolutePath == "/v1/acl/tokens" ? (200, $$"""[{"AccessorID":"x","Name":"alice"},{"AccessorID":"acc","Name":"{{s_mark}}"}]""") : (200, """{"SecretID":"s3cret","AccessorID":"acc"}"""));

        (await tokens.FindOrMakeAsync(s_node, default)).Try(out var found).ShouldBeTrue();

        found![GivenCredentials.Own].ShouldBe("s3cret");
        server.Asked.Select(a => a.Call).ShouldBe(["GET /v1/acl/tokens", "GET /v1/acl/token/acc"]);
    }

    [Fact]
    public async Task OnlyTokensOfNodesThatAreOverAreDeleted()
    {
        var kept = s_mark with { NodeId = "99999999-2222-3333-4444-555555555555" };
        var (tokens, server) = Nomads(request => request.Method == HttpMethod.Delete ? (200, "") : (200, $$"""[{"AccessorID":"x","Name":"alice"},{"AccessorID":"acc","Name":"{{s_mark}}"},{"AccessorID":"y","Name":"{{kept}}"}]"""));

        (await tokens.ForgetAsync(mark => mark == s_mark, default)).Try(out var deleted).ShouldBeTrue();

        deleted.ShouldBe(1);
        server.Asked.Select(a => a.Call).ShouldBe(["GET /v1/acl/tokens", "DELETE /v1/acl/token/acc"]);
    }

    /// <summary>Some versions answer for an unknown token as for an anonymous one.</summary>
    [Theory]
    [InlineData(200, """{"AccessorID":"anonymous","Name":"Anonymous Token","Type":"client"}""", false)]
    [InlineData(403, "ACL token not found", false)]
    [InlineData(500, "No cluster leader", null)]
    public async Task ATokenThatNomadDoesNotKnowIsTold(int status, string body, bool? known) =>
        (await Nomads(_ => (status, body)).Tokens.IsKnownAsync(default)).ShouldBe(known);

    [Fact]
    public async Task ATokenThatNomadKnowsIsKnown() =>
        (await Nomads(_ => (200, $$"""{"AccessorID":"acc","Name":"{{s_mark}}","Type":"client"}""")).Tokens.IsKnownAsync(default)).ShouldBe(true);

    [Fact]
    public void ConsulsTokenOfANodeWritesItsOwnEntryAndServicesAndNothingElse()
    {
        var rules = JsonNode.Parse(ConsulNodeTokens.Rules(s_node.Name))!.AsObject();

        ((string?)rules["node"]![s_node.Name]!["policy"]).ShouldBe("write", "whatever letters a name has");
        rules.Select(r => r.Key).ShouldBe(["node", "node_prefix", "agent_prefix", "service_prefix", "key_prefix", "operator"]);
        foreach (var prefix in new[] { "node_prefix", "agent_prefix", "key_prefix" }) ((string?)rules[prefix]![""]!["policy"]).ShouldBe("read");
        ((string?)rules["operator"]).ShouldBe("read");
        foreach (var not in new[] { "acl", "keyring", "\"agent\"" }) rules.ToJsonString().ShouldNotContain(not);
    }

    [Fact]
    public async Task ConsulGivesTwoTokensAndForgetsBothWithTheirPolicy()
    {
        var (tokens, server) = Consuls(request => request.Method == HttpMethod.Get ? (200, "[]") : (200, "{}"));

        (await tokens.FindOrMakeAsync(s_node, ("nomadstack-names", "rules"), default)).Try(out var made).ShouldBeTrue();

        made!.Keys.ShouldBe([GivenCredentials.Own, Nomadstack.Cluster.ProductTokens.Names]);
        server.Asked.Count(a => a.Call == "PUT /v1/acl/token").ShouldBe(2);
        var own = "nomadstack-node-" + s_node.Id;
        server.Asked.Where(a => a.Call == "PUT /v1/acl/policy").Select(a => (string?)JsonNode.Parse(a.Body)!["Name"]).ShouldBe([own, "nomadstack-names"]);

        (tokens, server) = Consuls(request => request.RequestUri!.AbsolutePath switch
        {
            "/v1/acl/tokens" => (200, $$"""[{"AccessorID":"acc","Description":"{{s_mark}}"},{"AccessorID":"x","Description":"alice"}]"""),
            "/v1/acl/policies" => (200, $$"""[{"ID":"p1","Name":"{{own}}"},{"ID":"p2","Name":"global-management"}]"""),
            _ => (200, "true"),
        });
        (await tokens.ForgetAsync(_ => true, default)).Try(out var deleted).ShouldBeTrue();
        deleted.ShouldBe(1);
        server.Asked.Select(a => a.Call).ShouldBe(["GET /v1/acl/tokens", "DELETE /v1/acl/token/acc", "GET /v1/acl/policies", "DELETE /v1/acl/policy/p1"]);
    }

    private static (NomadNodeTokens Tokens, CannedHttp Server) Nomads(Func<HttpRequestMessage, (int, string)> answer)
    {
        var server = new CannedHttp(answer);
        return (new(new NomadApi(new Endpoint(new Uri("http://nomad.test:4646")), TimeProvider.System, new HttpMessageInvoker(server))), server);
    }

    private static (ConsulNodeTokens Tokens, CannedHttp Server) Consuls(Func<HttpRequestMessage, (int, string)> answer)
    {
        var server = new CannedHttp(answer);
        return (new(new ConsulApi(new Endpoint(new Uri("http://consul.test:8500")), TimeProvider.System, new HttpMessageInvoker(server))), server);
    }
}
