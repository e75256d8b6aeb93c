// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Node;

/// <summary>What a client node asks of server nodes.</summary>
internal sealed partial class NodePeers
{
    /// <summary>On a client node: asks server nodes for a new peer certificate.</summary>
    private async Task<bool> AskForCertificateAsync(Pki pki, CancellationToken cancel)
    {
        if (context.Membership.Signer is not { } signer) return false;
        var asked = RenewalDesk.Ask(signer, pki.Node.ExportCertificatePem());
        foreach (var server in ServerNodes())
        {
            try
            {
                pki.Renew(context.Paths, (await PeerClient.CertificateAsync(pki.Ca, server, asked, context.Time, cancel)).Certificate, context.Time.GetUtcNow());
                _log.LogInformation("Server node {Server} has renewed this node's certificate", server.Name);
                return true;
            }
            catch (ProblemException e)
            {
                // Every minute one line at most, and the next server node may say yes.
                _log.LogWarning("Server node {Server} does not renew this node's certificate: {Problem}", server.Name, e.Problem);
            }
        }

        return false;
    }

    /// <summary>On a client node: asks server nodes, one after the other, for what lets its products' agents in.</summary>
    /// <exception cref="ProblemException">What the last one refused with; <c>client/nobody-answers</c>.</exception>
    public async Task<CredentialsGiven> AskForCredentialsAsync(CredentialsAsked asked, CancellationToken cancel)
    {
        ProblemException? last = null;
        foreach (var server in ServerNodes())
        {
            try
            {
                if (_peering is { } peering) return await peering.Client.CredentialsAsync(server.Id, asked, cancel);
            }
            catch (ProblemException e)
            {
                last = e;
            }
        }

        throw last ?? new ProblemException(ClientProblems.NobodyAnswers("what lets its agents in"));
    }

    /// <summary>On a client node: whether a server leads, proved by a server node. False also while none can tell.</summary>
    public async Task<bool> ProveAsync(string serversNode, CancellationToken cancel)
    {
        foreach (var server in ServerNodes().OrderByDescending(n => n.Id == serversNode))
        {
            try
            {
                if (_peering is { } peering) return (await peering.Client.ProofAsync(server.Id, new ProofAsked(serversNode), cancel)).Leads;
            }
            catch (ProblemException)
            {
                // The next one may answer; if none does, there is no proof.
            }
        }

        return false;
    }

    /// <summary>Server nodes that answer, in any order, so that not all client nodes ask the same.</summary>
    private List<NodeEntry> ServerNodes() => [.. context.Membership.Others.Where(n => n.IsServer && IsWorthAsking(n.Id)).OrderBy(_ => Random.Shared.Next())];

    private bool IsWorthAsking(string nodeId) => _peering?.IsReachable(nodeId) ?? true;
}
