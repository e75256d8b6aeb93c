// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Finds a copied data folder: refuses to start a member's agent while another agent with the same node id is alive.</summary>
/// <remarks>To run before this agent says anything of itself. Costs at most about four seconds, when peers are silent rather than absent.</remarks>
internal static class IdentityGuard
{
    private const int PeersToAsk = 5;

    private static readonly TimeSpan s_peersDeadline = TimeSpan.FromSeconds(2.5);

    /// <exception cref="ProblemException"><c>agent/cloned</c>.</exception>
    public static async Task CheckAsync(Membership membership, AntiEntropy sync, PeerClient client, AgentIdentity identity, TimeProvider time, CancellationToken cancel)
    {
        if (membership.Self is not { } recorded) return;
        var suspects = new HashSet<(string Address, int Port)> { (recorded.Address, recorded.Ports.Peers) };

        // A twin that started while this node was off has told the others its own address since.
        using (var limit = new CancellationTokenSource(s_peersDeadline, time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token))
            await Task.WhenAll(membership.Others.Take(PeersToAsk).ToList().Select(p => sync.ExchangeAsync(p.Id, either.Token)));
        cancel.ThrowIfCancellationRequested();
        if (membership.Self is { } latest) suspects.Add((latest.Address, latest.Ports.Peers));

        foreach (var (address, port) in suspects)
        {
            // At our own address nobody but this agent can listen; its own answer carries its own instance.
            var answer = await client.TryAskAsync(address, port, cancel);
            if (answer is null || answer.NodeId != membership.Node.Id || answer.Instance == identity.Instance) continue;
            throw new ProblemException(new("agent/cloned", $"Another agent is node {membership.Node.Name} ({membership.Node.Id}) already.", $"It answers at {address}:{port} with this node's identity. This data folder is a copy of that one, or that one of this.", "Keep one of the two: on the other, move the data folder away and join it anew, which gives it an identity of its own.") { Unsafe = true });
        }
    }
}
