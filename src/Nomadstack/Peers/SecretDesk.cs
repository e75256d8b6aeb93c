// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>The exchange of secrets between two server nodes. No other node gets an answer.</summary>
internal sealed class SecretDesk(Membership membership, SecretStore store)
{
    private const int MaxSteps = 8;

    /// <summary>Whether a node may have secrets: it signs, the CA certified it as a server node, and it was not removed.</summary>
    public static bool IsServer(NodeEntry node) => node is { Removed: false, IsServer: true, Signed.Kind: NodeKind.Server } && node.Signed.By == node.Id;

    /// <exception cref="ProblemException"><c>peers/not-a-server-node</c>.</exception>
    public SecretsAnswer Answer(SecretsRequest request, string sender)
    {
        if (membership.Current?.Nodes.GetValueOrDefault(sender) is not { } node || !IsServer(node) || store.Digest is null)
            throw new ProblemException(PeerProblems.NotAServerNode(sender));
        if (request.Push is { } pushed) store.Merge(pushed, sender);
        store.Reseal();
        return store.Compare(request.Versions ?? new Dictionary<string, string>());
    }

    /// <summary>Exchanges with a server node until both have the same.</summary>
    public async Task ExchangeAsync(string peer, Func<SecretsRequest, Task<SecretsAnswer>> ask)
    {
        var given = new HashSet<string>();
        IReadOnlyList<SealedSecret>? push = null;
        for (var step = 0; step < MaxSteps; step++)
        {
            var versions = store.Versions();
            var answer = await ask(new SecretsRequest(versions) { Push = push });
            var news = store.Merge(answer.Newer ?? [], peer);
            versions = store.Versions();
            var wanted = (answer.Want ?? []).Where(name => versions.TryGetValue(name, out var version) && given.Add($"{name} {version}")).ToList();
            push = store.Part(wanted);
            if (!news && wanted.Count == 0) return;
        }
    }
}
