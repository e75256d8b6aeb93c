// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Consul;

/// <summary>The tokens of client nodes in Consul: one for what the node's own agents do, one for callers that say none, above all DNS.</summary>
internal sealed class ConsulNodeTokens(ConsulApi api)
{
    /// <summary>
    /// The rules of the node's own token, as JSON, for a node's name may have any letter. It writes its own node's entry, and services: Nomad registers those of its jobs with it,
    /// whatever their names. Before Nomad 1.7, templates of its jobs read keys with it. The rest is what <c>nomadstack status</c> reads.
    /// </summary>
    /// <remarks>The same as Consul's own node identities (since 1.8.1) for the node's entry; those allow lower-case names alone.</remarks>
    public static string Rules(string node) => new JsonObject
    {
        ["node"] = new JsonObject { [node] = Policy("write") },
        ["node_prefix"] = new JsonObject { [""] = Policy("read") },
        ["agent_prefix"] = new JsonObject { [""] = Policy("read") },
        ["service_prefix"] = new JsonObject { [""] = Policy("write") },
        ["key_prefix"] = new JsonObject { [""] = Policy("read") },
        ["operator"] = "read",
    }.ToJsonString();

    /// <param name="names">Policy and rules for callers that say no token.</param>
    public async Task<Answer<IReadOnlyDictionary<string, string>>> FindOrMakeAsync(NodeEntry node, (string Policy, string Rules) names, CancellationToken cancel)
    {
        var listed = await api.TokensAsync(ConsulApi.WithLeader, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => None);
        var tokens = new Dictionary<string, string>();
        foreach (var (name, policy, rules) in new[] { (GivenCredentials.Own, PolicyOf(node.Id), Rules(node.Name)), (ProductTokens.Names, names.Policy, names.Rules) })
        {
            var secret = await FindOrMakeAsync(all, NodeMark.Of(node, name), policy, rules, cancel);
            if (!secret.Try(out var told)) return secret.Map(_ => None);
            tokens[name] = told;
        }

        return new Answer<IReadOnlyDictionary<string, string>>.Ok(tokens);
    }

    public async Task<Answer<int>> ForgetAsync(Func<NodeMark, bool> isOver, CancellationToken cancel)
    {
        var listed = await api.TokensAsync(ConsulApi.WithLeader, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => 0);
        var over = all.Select(t => (t.AccessorID, Mark: NodeMark.Parse(t.Description))).Where(t => t.Mark is not null && isOver(t.Mark)).ToList();
        foreach (var (accessor, _) in over)
        {
            var deleted = await api.DeleteTokenAsync(accessor ?? "", ConsulApi.WithLeader, cancel);
            if (!deleted.IsOk) return deleted.Map(_ => 0);
        }

        return over.Count == 0 ? new Answer<int>.Ok(0) : await ForgetPoliciesAsync(over.Select(t => PolicyOf(t.Mark!.NodeId)).ToHashSet(), over.Count, cancel);
    }

    public async Task<bool?> IsKnownAsync(CancellationToken cancel) => await api.TokenAsync(ConsulApi.WithLeader, cancel) switch
    {
        Answer<Done>.Ok => true,
        Answer<Done>.Refused { Status: 403 or 404 } => false,
        _ => null,
    };

    /// <summary>A node that joins again under another name needs other rules.</summary>
    private async Task<Answer<int>> ForgetPoliciesAsync(HashSet<string> names, int tokens, CancellationToken cancel)
    {
        var listed = await api.PoliciesAsync(ConsulApi.WithLeader, cancel);
        if (!listed.Try(out var policies)) return listed.Map(_ => 0);
        foreach (var policy in policies.Where(p => names.Contains(p.Name ?? "")))
        {
            var deleted = await api.DeletePolicyAsync(policy.ID ?? "", ConsulApi.WithLeader, cancel);
            if (!deleted.IsOk) return deleted.Map(_ => 0);
        }

        return new Answer<int>.Ok(tokens);
    }

    private async Task<Answer<string>> FindOrMakeAsync(IReadOnlyList<TokenReply> all, NodeMark mark, string policy, string rules, CancellationToken cancel)
    {
        if (all.FirstOrDefault(t => NodeMark.Parse(t.Description) == mark) is { AccessorID: { } accessor })
            return (await api.TokenAsync(accessor, ConsulApi.WithLeader, cancel)).Map(token => token.SecretID ?? "");
        var secret = Guid.NewGuid().ToString();
        return (await api.MakeTokenAsync(policy, rules, secret, ConsulApi.WithLeader, cancel, mark.ToString())).Map(_ => secret);
    }

    private static IReadOnlyDictionary<string, string> None => new Dictionary<string, string>();

    private static string PolicyOf(string nodeId) => "nomadstack-node-" + nodeId;

    private static JsonObject Policy(string policy) => new() { ["policy"] = policy };
}
