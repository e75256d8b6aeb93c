// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Detects a copied data folder: refuses to start a member's agent while another agent with the same node id runs.</summary>
/// <remarks>Must run before this agent sends anything about itself. Takes at most about four seconds, if peers accept connections but do not answer.</remarks>
internal static class IdentityGuard
{
    private const int PeersToAsk = 5;

    private static readonly TimeSpan s_peersDeadline = TimeSpan.FromSeconds(2.5);

    /// <exception cref="ProblemException"><c>agent/cloned</c>.</exception>
    public static async Task CheckAsync(Membership membership, AntiEntropy sync, PeerClient client, AgentIdentity identity, TimeProvider time, CancellationToken cancel)
    {
        if (membership.Self is not { } recorded) return;
        var suspects = new HashSet<(string Address, int Port)> { (recorded.Address, recorded.Ports.Peers) };

        // If a copy started while this node was off, the others know the address of the copy.
        using (var limit = new CancellationTokenSource(s_peersDeadline, time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token))
            await Task.WhenAll(membership.Others.Take(PeersToAsk).ToList().Select(p => sync.ExchangeAsync(p.Id, either.Token)));
        cancel.ThrowIfCancellationRequested();
        if (membership.Self is { } latest) suspects.Add((latest.Address, latest.Ports.Peers));

        foreach (var (address, port) in suspects)
        {
            // At our own address only this agent can listen, and its answer has its own instance.
            var answer = await client.TryAskAsync(address, port, cancel);
            if (answer is null || answer.NodeId != membership.Node.Id || answer.Instance == identity.Instance) continue;
            throw new ProblemException(PeerProblems.Cloned(membership.Node.Name, membership.Node.Id, address, port));
        }
    }
}
