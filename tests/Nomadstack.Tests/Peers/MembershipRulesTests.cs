// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Peers;

public sealed class MembershipRulesTests : IDisposable
{
    private const string Id = "11111111-2222-3333-4444-555555555555";

    private readonly Members _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData("id", "\"{11111111-2222-3333-4444-555555555555}\"", "id")]
    [InlineData("name", "\"\"", "name")]
    [InlineData("name", "null", "name")]
    [InlineData("name", "\"a\\nb\"", "name")]
    [InlineData("name", "\"\\ud800\"", "name contains broken text")]
    [InlineData("address", "\"host\"", "address")]
    [InlineData("address", "\"99999\"", "address")]
    [InlineData("address", "\"0.0.0.0\"", "address")]
    [InlineData("address", "12", "address")]
    [InlineData("ports", "null", "ports is not an object")]
    [InlineData("ports", "{\"peers\":99999999}", "ports.peers is 99999999")]
    [InlineData("ports", "{\"peers\":0}", "ports.peers")]
    [InlineData("ports", "{\"peers\":\"4640\"}", "ports.peers")]
    [InlineData("ports", "{\"peers\":4640.5}", "ports.peers")]
    [InlineData("ports", "{\"baoHttp\":-1}", "ports.baoHttp")]
    [InlineData("incarnation", "0", "incarnation")]
    [InlineData("incarnation", "9223372036854775807", "incarnation")]
    [InlineData("incarnation", "1e300", "incarnation")]
    [InlineData("keyPin", "\"abc\"", "keyPin")]
    [InlineData("version", "[]", "version")]
    [InlineData("removed", "\"yes\"", "removed")]
    [InlineData("kind", "\"\"", "kind")]
    [InlineData("servers", "null", "servers is not a list")]
    [InlineData("servers", "[null]", "servers[0] is not an object")]
    [InlineData("servers", "[{\"role\":\"nomad\"}]", "servers[0].managedBy")]
    [InlineData("servers", "[{\"role\":\"nomad\",\"managedBy\":\"job\",\"state\":\"running\",\"raftId\":\"a b\",\"http\":1,\"rpc\":2,\"serf\":3}]", "servers[0].raftId")]
    [InlineData("servers", "[{\"role\":\"nomad\",\"managedBy\":\"job\",\"state\":\"running\",\"raftId\":\"a\",\"http\":1,\"rpc\":70000,\"serf\":3}]", "servers[0].rpc")]
    [InlineData("signed", "{}", "signed.by")]
    [InlineData("signed", "{\"by\":\"11111111-2222-3333-4444-555555555555\",\"kind\":\"server\",\"key\":\"####\",\"proof\":\"\",\"value\":\"\"}", "signed.key")]
    public void ANodesFieldOutOfBoundsIsNamed(string field, string json, string why) =>
        MembershipRules.Node(Id, With(Node(), field, json)).ShouldNotBeNull().ShouldContain(why);

    [Theory]
    [InlineData("id", "\"other\"", "id")]
    [InlineData("secretHash", "\"h\"", "secretHash")]
    [InlineData("secretHash", "null", "secretHash")]
    [InlineData("createdAt", "\"yesterday\"", "createdAt")]
    [InlineData("expiresAt", "5", "expiresAt")]
    [InlineData("revoked", "null", "revoked")]
    [InlineData("incarnation", "-1", "incarnation")]
    public void ATokensFieldOutOfBoundsIsNamed(string field, string json, string why) =>
        MembershipRules.Token("abc", With("""{"id":"abc","secretHash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"2026-01-01T00:00:00Z"}""", field, json)).ShouldNotBeNull().ShouldContain(why);

    [Theory]
    [InlineData("name", "\"Other\"", "name")]
    [InlineData("version", "0", "version")]
    [InlineData("writer", "\"me\"", "writer")]
    [InlineData("deleted", "1", "deleted")]
    [InlineData("signed", "null", "signed")]
    public void ASettingsFieldOutOfBoundsIsNamed(string field, string json, string why) =>
        MembershipRules.Setting("a.b", With($$"""{"name":"a.b","value":1,"version":1,"writer":"{{Id}}"}""", field, json)).ShouldNotBeNull().ShouldContain(why);

    [Fact]
    public void WhatIsTooMuchIsRefused()
    {
        MembershipRules.Node(Id, With(Node(), "later", JsonSerializer.Serialize(new string('x', 9000)))).ShouldNotBeNull().ShouldContain("larger than");
        MembershipRules.Node(Id, With(Node(), "later", string.Concat(Enumerable.Repeat("[", 20)) + string.Concat(Enumerable.Repeat("]", 20)))).ShouldNotBeNull().ShouldContain("nested too deeply");
        MembershipRules.Node(Id, JsonDocument.Parse(Node()[..^1] + ",\"name\":\"n2\"}").RootElement).ShouldNotBeNull().ShouldContain("name appears twice");
        var many = JsonNode.Parse(Node())!.AsObject();
        for (var i = 0; i < 40; i++) many["x" + i] = i;
        MembershipRules.Node(Id, JsonDocument.Parse(many.ToJsonString()).RootElement).ShouldNotBeNull().ShouldContain("fields that this release does not know");
    }

    [Fact]
    public void WhatTheReleaseBeforeWroteAndWhatTheNextWillIsFit()
    {
        MembershipRules.Node(Id, JsonDocument.Parse(Node()).RootElement).ShouldBeNull();
        MembershipRules.Node(Id, With(Node(), "zone", "{\"a\":[1,2]}")).ShouldBeNull();
        MembershipRules.Node(Id, With(Node(), "address", "\"fd00::1\"")).ShouldBeNull();
        MembershipRules.Node(Id, With(Node(), "kind", "\"witness\"")).ShouldBeNull();
    }

    [Fact]
    public void OneBadEntryIsRefusedByNameAndTheRestOfTheMessageIsTaken()
    {
        var a = _cluster.First();
        var b = _cluster.Joined(a);
        var message = JsonNode.Parse(JsonSerializer.Serialize(b.Now, PeersJson.Default.ClusterDocument))!;
        message["nodes"]![Id] = JsonNode.Parse(Node().Replace("4640", "99999999", StringComparison.Ordinal));
        message["nodes"]!["{" + Guid.NewGuid() + "}"] = JsonNode.Parse(Node());
        message["tokens"]!["x"] = null;
        List<Problem> told = [];
        a.Membership.Refusals.Told += told.Add;

        a.Membership.Merge(JsonSerializer.Deserialize(message.ToJsonString(), PeersJson.Default.ClusterDocument)!, b.Id).ShouldBeTrue();

        a.Now.Nodes.Keys.ShouldBe([a.Id, b.Id], ignoreOrder: true);
        told.Count.ShouldBe(3);
        told[0].What.ShouldContain("old1");
        told[0].Why.ShouldContain("ports.peers is 99999999");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"nodes":[],"tokens":{}}""")]
    [InlineData("""{"schema":"x","nodes":{},"tokens":{}}""")]
    [InlineData("""{"clusterId":5,"nodes":{},"tokens":{}}""")]
    [InlineData("""{"maxServers":99999999999,"nodes":{},"tokens":{}}""")]
    public void ADocumentThatIsNoneIsRefusedAsAWhole(string json)
    {
        var a = _cluster.First();

        Should.Throw<ProblemException>(() => a.Membership.Merge(JsonSerializer.Deserialize(json, PeersJson.Default.ClusterDocument)!)).Problem.Code.ShouldBe("peers/bad-document");
    }

    [Fact]
    public void ABadEntryOnTheDiskIsPutAsideAndTheAgentStarts()
    {
        var a = _cluster.First();
        var file = JsonNode.Parse(File.ReadAllText(a.Paths.ClusterFile))!;
        file["nodes"]![Id] = JsonNode.Parse(Node().Replace("4640", "99999999", StringComparison.Ordinal));
        File.WriteAllText(a.Paths.ClusterFile, file.ToJsonString());

        for (var start = 0; start < 2; start++)
        {
            var membership = new Membership(a.Paths, a.File, TimeProvider.System);
            membership.Load();
            membership.Current!.Nodes.Keys.ShouldBe([a.Id]);
            membership.Quarantined.ShouldHaveSingleItem().Why.ShouldContain("ports.peers");
        }

        var aside = JsonNode.Parse(File.ReadAllText(a.Paths.Quarantine))!["entries"]!.AsArray().ShouldHaveSingleItem()!;
        aside["entry"]!["ports"]!["peers"]!.GetValue<int>().ShouldBe(99999999);
    }

    [Fact]
    public void ABadOwnEntryOnTheDiskIsAProblemThatNamesTheField()
    {
        var a = _cluster.First();
        var file = JsonNode.Parse(File.ReadAllText(a.Paths.ClusterFile))!;
        file["nodes"]![a.Id]!["servers"] = new JsonArray(null as JsonNode);
        File.WriteAllText(a.Paths.ClusterFile, file.ToJsonString());

        var problem = Should.Throw<ProblemException>(new Membership(a.Paths, a.File, TimeProvider.System).Load).Problem;

        (problem.Code, problem.Why).ShouldBe(("storage/torn", "In this node's own entry, servers[0] is not an object."));
    }

    private static string Node() =>
        $$"""{"id":"{{Id}}","name":"old1","address":"10.0.0.9","ports":{"peers":4640,"nomadClientHttp":4646},"incarnation":3,"keyPin":"","version":"0.1.0","servers":[{"role":"nomad","raftId":"r","managedBy":"job","state":"running","http":1,"rpc":2,"serf":3,"keys":""}],"removed":false}""";

    private static JsonElement With(string entry, string field, string json)
    {
        var others = JsonDocument.Parse(entry).RootElement.EnumerateObject().Where(m => m.Name != field).Select(m => $"\"{m.Name}\":{m.Value.GetRawText()}");
        return JsonDocument.Parse($"{{{string.Join(',', others)},\"{field}\":{json}}}").RootElement;
    }
}
