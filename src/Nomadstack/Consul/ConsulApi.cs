// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Nomadstack.Ground.Http;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Consul;

/// <summary>
/// All our calls to one Consul agent. They are the same for every Consul since 1.8.
/// A server that is down, has no leader or refuses is an answer, never an exception.
/// </summary>
/// <param name="endpoint">A server's or a client's. A client passes on what needs a server.</param>
internal sealed partial class ConsulApi(Endpoint endpoint, TimeProvider time, HttpMessageInvoker? transport = null)
    : HashiCorpServerApi(endpoint, "X-Consul-Index", time, transport)
{
    /// <summary>For calls that an agent answers by itself.</summary>
    public static readonly TimeSpan Quick = TimeSpan.FromSeconds(2);

    /// <summary>For calls that need a leader: Consul keeps them waiting for up to 7 s while there is none.</summary>
    public static readonly TimeSpan WithLeader = TimeSpan.FromSeconds(10);

    /// <summary>For <see cref="LeaveAsync"/>: Consul answers when the server has left, after up to 5 s of drain.</summary>
    public static readonly TimeSpan Leaving = TimeSpan.FromSeconds(30);

    protected override string SnapshotPath => "/v1/snapshot";

    public override async Task<Answer<AgentSelf>> AgentSelfAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/agent/self", ConsulJson.Default.SelfReply, deadline, cancel)).Map(self => self.ToSelf());

    /// <summary>Sessions and services come and go with the agents that made them.</summary>
    public override Task<Answer<StateCounts>> CountAsync(TimeSpan deadline, CancellationToken cancel) => CountAsync([("keys", "/v1/kv/?keys", null), ("queries", "/v1/query", null)], deadline, cancel);

    /// <summary>Exists since Consul 1.15.</summary>
    public override Task<LeadershipTransfer> TransferLeadershipAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        TransferLeadershipAsync(HttpMethod.Post, "/v1/operator/raft/transfer-leader", id, deadline, cancel);

    /// <summary>Servers and clients: a server never has a node's name.</summary>
    public override async Task<IReadOnlyList<SeenClient>> ClientsAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await MembersAsync(deadline, cancel)).Try(out var members)
            ? [.. members.Where(m => !m.Server).Select(m => new SeenClient(m.Name, m.Status == ConsulProduct.Alive ? m.Status : ConsulProduct.Failed, m.Status == ConsulProduct.Alive))]
            : [];

    public override async Task<Answer<IReadOnlyList<GossipMember>>> MembersAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/agent/members", ConsulJson.Default.IReadOnlyListMemberReply, deadline, cancel))
            .Map<IReadOnlyList<GossipMember>>(all => [.. all.Select(m => m.ToMember())]);

    public override Task<Answer<Done>> JoinAsync(string address, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, "/v1/agent/join/" + Uri.EscapeDataString(address), null, deadline, cancel);

    /// <param name="member">The node name.</param>
    protected override Task<Answer<Done>> ForceLeaveAsync(string member, bool prune, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Put, "/v1/agent/force-leave/" + Uri.EscapeDataString(member) + (prune ? "?prune" : ""), null, deadline, cancel);

    /// <summary>
    /// This agent leaves the cluster and its process ends. A broken connection often means success, so check the process and raft, not this answer.
    /// Never call it for the last server: Consul does not refuse.
    /// </summary>
    public Task<Answer<Done>> LeaveAsync(TimeSpan deadline, CancellationToken cancel) => Http.DoAsync(HttpMethod.Put, "/v1/agent/leave", null, deadline, cancel);

    /// <summary>Whether the token that this endpoint says is one of Consul's.</summary>
    public Task<Answer<Done>> TokenAsync(TimeSpan deadline, CancellationToken cancel) => Http.DoAsync(HttpMethod.Get, "/v1/acl/token/self", null, deadline, cancel);

    /// <summary>Makes a policy and a token that has it. The policy may be there from an earlier try.</summary>
    /// <param name="rules">Null for a policy that Consul has itself.</param>
    /// <param name="secret">What the token's callers say.</param>
    /// <param name="description">Null for the policy's name.</param>
    /// <param name="life">Null for a token that does not end.</param>
    public async Task<Answer<Done>> MakeTokenAsync(string policy, string? rules, string secret, TimeSpan deadline, CancellationToken cancel, string? description = null, TimeSpan? life = null)
    {
        if (rules is not null)
        {
            var written = await Http.SendAsync(HttpMethod.Put, "/v1/acl/policy", new JsonObject { ["Name"] = policy, ["Rules"] = rules }.ToJsonString(), deadline, cancel);
            var isThere = written is Answer<HttpReply>.Refused { Text: var text } && text.Contains("already exists", StringComparison.Ordinal);
            if (!written.IsOk && !isThere) return written.Map(_ => default(Done));
        }

        var token = new JsonObject { ["SecretID"] = secret, ["Description"] = description ?? policy, ["Policies"] = new JsonArray(new JsonObject { ["Name"] = policy }) };
        if (life is { } ends) token["ExpirationTTL"] = GoDuration.Format(ends);
        return await Http.DoAsync(HttpMethod.Put, "/v1/acl/token", token.ToJsonString(), deadline, cancel);
    }

    /// <summary>Asks for the first management token.</summary>
    /// <param name="wanted">The secret that it should have; ignored before Consul 1.15.</param>
    public async Task<AclBootstrap> BootstrapAclAsync(string wanted, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.JsonAsync(HttpMethod.Put, "/v1/acl/bootstrap", new JsonObject { ["BootstrapSecret"] = wanted }.ToJsonString(), ConsulJson.Default.TokenReply, deadline, cancel);
        var done = answer is Answer<TokenReply>.Refused { Text: var text } && AlreadyDone().Match(text) is { Success: true } match ? match.Groups[1].Value : null;
        return new(answer.Map(_ => default(Done)), answer.Try(out var token) ? token.SecretID : null, done);
    }

    [GeneratedRegex(@"no longer allowed \(reset index: (\d+)\)")]
    private static partial Regex AlreadyDone();

    /// <summary>The public id of the token that this endpoint says.</summary>
    public async Task<Answer<string>> AccessorAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/acl/token/self", ConsulJson.Default.TokenReply, deadline, cancel)).Map(token => token.AccessorID ?? "");

    /// <summary>Deletes the tokens with these descriptions, but for the one with this public id.</summary>
    public async Task<Answer<Done>> RevokeTokensAsync(IReadOnlyCollection<string> descriptions, string keep, TimeSpan deadline, CancellationToken cancel)
    {
        var listed = await TokensAsync(deadline, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => default(Done));
        foreach (var token in all.Where(t => descriptions.Contains(t.Description) && t.AccessorID != keep))
        {
            var deleted = await DeleteTokenAsync(token.AccessorID ?? "", deadline, cancel);
            if (!deleted.IsOk && !deleted.IsNotFound) return deleted;
        }

        return new Answer<Done>.Ok(default);
    }

    public override async Task<Answer<GossipKeysSeen>> ListAsync(TimeSpan deadline, CancellationToken cancel) =>
        (await Http.GetAsync("/v1/operator/keyring", ConsulJson.Default.IReadOnlyListPoolReply, deadline, cancel)).Map(pools => GossipKeysOf(pools));

    public override Task<Answer<Done>> InstallAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync(HttpMethod.Post, key, deadline, cancel);

    public override Task<Answer<Done>> UseAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync(HttpMethod.Put, key, deadline, cancel);

    public override Task<Answer<Done>> RemoveAsync(string key, TimeSpan deadline, CancellationToken cancel) => KeyringAsync(HttpMethod.Delete, key, deadline, cancel);

    private Task<Answer<Done>> KeyringAsync(HttpMethod verb, string key, TimeSpan deadline, CancellationToken cancel) => Http.DoAsync(verb, "/v1/operator/keyring", KeyBody(key), deadline, cancel);

    /// <summary>All pools as one: a key counts for an agent in a pool.</summary>
    internal static GossipKeysSeen GossipKeysOf(IReadOnlyList<PoolReply> pools) => new(
        pools.Sum(p => p.NumNodes),
        pools.SelectMany(p => p.Keys ?? []).GroupBy(k => k.Key).ToDictionary(k => k.Key, k => k.Sum(n => n.Value)));

    /// <summary>Every token, with its description.</summary>
    public Task<Answer<IReadOnlyList<TokenReply>>> TokensAsync(TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/tokens", ConsulJson.Default.IReadOnlyListTokenReply, deadline, cancel);

    /// <summary>A token with its secret, for a caller that may write tokens.</summary>
    public Task<Answer<TokenReply>> TokenAsync(string accessor, TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/token/" + Uri.EscapeDataString(accessor), ConsulJson.Default.TokenReply, deadline, cancel);

    public Task<Answer<Done>> DeleteTokenAsync(string accessor, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Delete, "/v1/acl/token/" + Uri.EscapeDataString(accessor), null, deadline, cancel);

    /// <summary>Every policy, without its rules.</summary>
    public Task<Answer<IReadOnlyList<PolicyReply>>> PoliciesAsync(TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/policies", ConsulJson.Default.IReadOnlyListPolicyReply, deadline, cancel);

    public Task<Answer<Done>> DeletePolicyAsync(string id, TimeSpan deadline, CancellationToken cancel) =>
        Http.DoAsync(HttpMethod.Delete, "/v1/acl/policy/" + Uri.EscapeDataString(id), null, deadline, cancel);

    /// <summary>The value of a key, or null if there is none. Read through a leader that has confirmed that it still leads.</summary>
    public async Task<Answer<string?>> GetKeyAsync(string key, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.SendAsync(HttpMethod.Get, $"/v1/kv/{Key(key)}?raw&consistent", null, deadline, cancel);
        return answer.IsNotFound ? new Answer<string?>.Ok(null) : answer.Map<string?>(reply => reply.Body);
    }

    public async Task<Answer<bool>> PutKeyAsync(string key, string value, TimeSpan deadline, CancellationToken cancel) =>
        await Http.JsonAsync(HttpMethod.Put, "/v1/kv/" + Key(key), value, ConsulJson.Default.Boolean, deadline, cancel);

    private static string Key(string key) => string.Join('/', key.Split('/').Select(Uri.EscapeDataString));
}

/// <summary>The gossip keys of one pool: all agents of the datacenter, or the servers of all datacenters.</summary>
internal sealed record PoolReply(Dictionary<string, int>? Keys, int NumNodes);

/// <summary><c>/v1/agent/self</c>, the part that we read.</summary>
internal sealed record SelfReply(SelfConfig? Config, MemberReply? Member, SelfStats? Stats)
{
    public AgentSelf ToSelf()
    {
        var member = Member?.ToMember();
        return new(Config?.Version ?? "", Config?.Server ?? false, Config?.Server == true ? Config.NodeID : null, member?.Name ?? "", member?.Status ?? "none", RaftStats.From(Stats?.Raft), null, []);
    }
}

internal sealed record SelfConfig(string? Version, bool Server, string? NodeID);

/// <summary>Only raft's counters: newer versions change the form of the other maps.</summary>
internal sealed record SelfStats([property: JsonPropertyName("raft")] Dictionary<string, string>? Raft);

/// <param name="Status">Serf's number: 1 alive, 2 leaving, 3 left, 4 failed.</param>
internal sealed record MemberReply(string? Name, string? Addr, int Port, int Status, Dictionary<string, string>? Tags)
{
    private static readonly string[] s_status = ["none", "alive", "leaving", "left", "failed"];

    public GossipMember ToMember()
    {
        var server = Tags?.GetValueOrDefault("role") == "consul";
        return new(
            Name ?? "",
            Addr ?? "",
            Port,
            Status >= 0 && Status < s_status.Length ? s_status[Status] : "none",
            Tags?.GetValueOrDefault("id"),
            server && int.TryParse(Tags!.GetValueOrDefault("port"), out var rpc) && Addr is { Length: > 0 } ? ConfigText.Endpoint(Addr, rpc) : null,
            server,
            Tags ?? []);
    }
}

internal sealed record TokenReply(string? AccessorID, string? SecretID, string? Description);

internal sealed record PolicyReply(string? ID, string? Name);

[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(IReadOnlyList<TokenReply>))]
[JsonSerializable(typeof(IReadOnlyList<PolicyReply>))]
[JsonSerializable(typeof(SelfReply))]
[JsonSerializable(typeof(IReadOnlyList<PoolReply>))]
[JsonSerializable(typeof(IReadOnlyList<MemberReply>))]
internal sealed partial class ConsulJson : JsonSerializerContext;
