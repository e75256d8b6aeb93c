// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>The tokens of client nodes in Nomad: one for each, which reads.</summary>
internal sealed class NomadNodeTokens(NomadApi api)
{
    private const string Policy = "nomadstack-node";

    /// <summary>
    /// What a node's agent asks: its own client for its servers (agent), the servers where they are in their log and who leads (agent, operator), which nodes and allocations
    /// there are and the note that the gate compares (node, job). It writes nothing: with <c>agent</c> "write" it could read the key of the servers' gossip, with <c>operator</c>
    /// "write" change autopilot. Nomad has no rule for one node alone, so all jobs can be read.
    /// </summary>
    private const string Rules = """
        namespace "*" {
          capabilities = ["list-jobs", "read-job"]
        }
        node {
          policy = "read"
        }
        agent {
          policy = "read"
        }
        operator {
          policy = "read"
        }
        """;

    public async Task<Answer<IReadOnlyDictionary<string, string>>> FindOrMakeAsync(NodeEntry node, CancellationToken cancel)
    {
        var mark = NodeMark.Of(node, GivenCredentials.Own);
        var listed = await api.TokensAsync(NomadApi.WithLeader, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => Named(""));
        var secret = all.FirstOrDefault(t => NodeMark.Parse(t.Name) == mark) is { AccessorID: { } accessor }
            ? (await api.TokenAsync(accessor, NomadApi.WithLeader, cancel)).Map(token => token.SecretID ?? "")
            : await api.MakeTokenAsync(mark.ToString(), (Policy, Rules), null, NomadApi.WithLeader, cancel);
        return secret.Map(Named);
    }

    public async Task<Answer<int>> ForgetAsync(Func<NodeMark, bool> isOver, CancellationToken cancel)
    {
        var listed = await api.TokensAsync(NomadApi.WithLeader, cancel);
        if (!listed.Try(out var all)) return listed.Map(_ => 0);
        var over = all.Where(t => NodeMark.Parse(t.Name) is { } mark && isOver(mark)).ToList();
        foreach (var token in over)
        {
            var deleted = await api.DeleteTokenAsync(token.AccessorID ?? "", NomadApi.WithLeader, cancel);
            if (!deleted.IsOk) return deleted.Map(_ => 0);
        }

        return new Answer<int>.Ok(over.Count);
    }

    /// <summary>An answer that is not about a token of ours is one for a token that Nomad does not know.</summary>
    public async Task<bool?> IsKnownAsync(CancellationToken cancel) => await api.OwnTokenAsync(NomadApi.WithLeader, cancel) switch
    {
        Answer<TokenReply>.Ok own => NodeMark.Parse(own.Value.Name) is not null,
        Answer<TokenReply>.Refused { Status: 403 or 404 } => false,
        _ => null,
    };

    private static IReadOnlyDictionary<string, string> Named(string secret) => new Dictionary<string, string> { [GivenCredentials.Own] = secret };
}
