// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <summary>
/// What this server node does for client nodes: makes their products' certificates, finds or makes their tokens, and proves a leader to them. Whom something is for is decided by
/// the certificate that the caller showed, never by what it says.
/// </summary>
internal sealed class ClientDesk(NodeContext context, IReadOnlyDictionary<string, IProduct> products) : IClientDesk
{
    /// <summary>A node asks when it joins, when its agent starts, every 20 days, and while it is refused.</summary>
    private static readonly TimeSpan s_betweenRequests = TimeSpan.FromSeconds(1);

    /// <summary>As often as a gate asks (<see cref="ColdBoot.Gatekeeper"/>), with room for what is late.</summary>
    private static readonly TimeSpan s_betweenProofs = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan s_proofDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Each costs a few requests to the products' leaders, which have other things to do when all nodes start at once.</summary>
    private const int AtOnce = 4;

    private readonly ConcurrentDictionary<(string Node, string What), long> _asked = [];
    private int _serving;

    public async Task<CredentialsGiven> GiveAsync(NodeEntry node, X509Certificate2 shown, CredentialsAsked asked, CancellationToken cancel)
    {
        if (context.Trust.IsGiven) throw new ProblemException(ClientProblems.AskedAClientNode(context.Node.Name));
        if (node.IsServer) throw new ProblemException(ClientProblems.ForClientsAlone(node.Name));
        if (ClientRules.Complaint(context.Membership.Current!, node, shown) is { } complaint) throw new ProblemException(complaint);
        Limit(node, "credentials", s_betweenRequests);
        if (asked.Keys is null || asked.Keys.Count > context.Table.Stack.Count || asked.Keys.Values.Any(k => k is null))
            throw new ProblemException(ClientProblems.BadKeys("It has no key, or keys for more products than there are."));
        try
        {
            if (Interlocked.Increment(ref _serving) > AtOnce) throw new ProblemException(ClientProblems.Busy(context.Node.Name));
            var given = new Dictionary<string, GivenCredentials>();
            var withAddress = ClientRules.IsOnlyOneAtItsAddress(context.Membership.Current!, node);
            foreach (var product in context.Products.Where(p => context.Trust.Closes(p) && asked.Keys.ContainsKey(p.Name)))
            {
                // First: what is given may be newer than this says, and is then given once more.
                var digest = context.Trust.Digest(product);
                var tokens = await TokensAsync(product, node, cancel);
                var certificate = context.Trust.ForClientNode(product, node, asked.Keys[product.Name], withAddress);
                // The scheduler's clients take no part in its servers' gossip.
                given[product.Name] = new(certificate, product.ClientsGossip ? context.Trust.Gossip(product) : null, tokens, digest);
            }

            return new(given);
        }
        finally
        {
            Interlocked.Decrement(ref _serving);
        }
    }

    public async Task<ProofGiven> ProveAsync(NodeEntry node, ProofAsked asked, CancellationToken cancel)
    {
        if (context.Trust.IsGiven) throw new ProblemException(ClientProblems.AskedAClientNode(context.Node.Name));
        Limit(node, "proof", s_betweenProofs);
        var scheduler = context.Table.Scheduler;
        var known = KnownServer.Of(context.Membership.Current, scheduler.Name).Where(s => s.NodeId == asked.Server);
        if (known.MaxBy(s => s.IsClaimed) is not { } server) return new(false, "that server is not known here");
        var answer = await products[scheduler.Name].Server(context.Endpoints.Of(scheduler, server)).BarrierAsync(s_proofDeadline, cancel);
        return new(answer.IsOk, answer.Complaint);
    }

    private async Task<IReadOnlyDictionary<string, string>> TokensAsync(Product product, NodeEntry node, CancellationToken cancel)
    {
        var complaint = "No server of it is known.";
        foreach (var server in KnownServer.Of(context.Membership.Current, product.Name).OrderByDescending(s => s.NodeId == context.Node.Id))
        {
            var answer = await products[product.Name].NodeTokensAsync(context.Endpoints.Of(product, server), node, cancel);
            if (answer.Try(out var tokens) && tokens.Count > 0 && tokens.Values.All(t => t.Length > 0)) return tokens;
            complaint = answer.IsOk ? "It gave none." : answer.Complaint;
        }

        throw new ProblemException(ClientProblems.NoTokens(product.Title, complaint));
    }

    /// <exception cref="ProblemException"><c>client/too-often</c>.</exception>
    private void Limit(NodeEntry node, string what, TimeSpan between)
    {
        var now = context.Time.GetTimestamp();
        if (_asked.TryGetValue((node.Id, what), out var last) && context.Time.GetElapsedTime(last, now) < between) throw new ProblemException(ClientProblems.TooOften(node.Name));
        // Callers are members, and those are bounded.
        _asked[(node.Id, what)] = now;
    }
}
