// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// Answers a node that wants to join: checks the token, then that nobody else is that node, then enters it.
/// A refusal changes nothing; the same request again gets the same answer, so a joiner that crashed may ask anew.
/// </summary>
/// <remarks>A token's uses are counted by the nodes it let in, as far as this node knows them. Names and addresses are compared with what this node knows. Two nodes of one name that join through two members within the second it takes to spread are both entered.</remarks>
internal sealed class JoinDesk(Membership membership, Pki pki, PeerClient client, TimeProvider time)
{
    /// <summary>Certificates and tokens stop making sense when clocks differ by more.</summary>
    public static readonly TimeSpan MaxClockSkew = TimeSpan.FromMinutes(5);

    /// <exception cref="ProblemException"><c>join/*</c>.</exception>
    public async Task<JoinAnswer> AnswerAsync(JoinRequest request, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var document = membership.Current ?? throw new ProblemException(Membership.NoCluster());
        if (request.TokenId is null || request.Secret is null || request.PublicKey is null) throw BadRequest("It lacks a token, a secret or a public key.");
        CheckToken(document, request, now);
        CheckClock(request.Clock, now);
        var node = ReadNode(request.Node);
        var asked = node with { JoinedWith = request.TokenId, RemovedAt = null, KeyPin = Certificates.Pin(request.PublicKey), Removed = false, Servers = [], Incarnation = 1, Kind = request.Signs ? NodeKind.Server : null, Signed = null };
        using var certificate = pki.IssueFor(request.PublicKey, asked, now);
        await CheckNotLiveElsewhereAsync(document, asked, cancel);
        var admitted = membership.Admit(latest =>
        {
            CheckUses(latest, asked);
            return Decide(latest, asked);
        });
        return new JoinAnswer(certificate.ExportCertificatePem(), pki.Ca.ExportCertificatePem(), pki.RevealCaKey(), FirstView(membership.Current ?? document, admitted),
            NodeKind.Server, pki.Prove(asked.Id, NodeKind.Server, request.PublicKey));
    }

    private static NodeEntry ReadNode(JsonElement node)
    {
        var id = node.ValueKind == JsonValueKind.Object && node.TryGetProperty("id", out var own) && own.ValueKind == JsonValueKind.String ? own.GetString()! : "";
        return MembershipRules.Node(id, node) is { } complaint ? throw BadRequest($"In the node's entry, {complaint}.") : Entries.Read(node, PeersJson.Default.NodeEntry);
    }

    private static ProblemException BadRequest(string why) =>
        new(new("join/bad-request", "The join request makes no sense.", why, "Run the same version of nomadstack on both nodes."));

    /// <summary>The entry to hold for a node that asks, or the refusal.</summary>
    private NodeEntry Decide(ClusterDocument document, NodeEntry asked)
    {
        foreach (var other in document.Nodes.Values.Where(n => n.Id != asked.Id && !n.Removed))
        {
            if (string.Equals(other.Name, asked.Name, StringComparison.OrdinalIgnoreCase))
                throw new ProblemException(new("join/duplicate-name", $"The cluster has a node named {other.Name} already.", $"It is at {other.Address} and has the id {other.Id}; names are unique in a cluster.", $"Give this node another name, or, if the other one is gone for good, run `nomadstack node remove {other.Name}` first."));
            if (HostPort.SameAddress(other.Address, asked.Address) && other.Ports.Peers == asked.Ports.Peers)
                throw new ProblemException(new("join/address-in-use", $"The cluster has a node at {asked.Address} already.", $"{other.Name} ({other.Id}) recorded the same address and port {other.Ports.Peers}.", $"Give this node its own address with --bind, or, if the other one is gone for good, run `nomadstack node remove {other.Name}` first."));
        }

        if (!document.Nodes.TryGetValue(asked.Id, out var held)) return asked;
        if (held.Removed) return asked with { Incarnation = held.Incarnation + 1 };
        if (asked.Id == membership.Node.Id) throw Cloned(held, "this very node has it");
        if (held.KeyPin.Length > 0 && held.KeyPin != asked.KeyPin) throw Cloned(held, "it joined with another key");
        if (asked.Kind is null && held.Kind is not null)
            throw new ProblemException(new("join/older-release", $"Node {held.Name} ran a newer release when it was last heard.", "It signed what it said, and release 0.1.0 does not: nobody would believe it.", $"Run the newer release there again, or run `nomadstack node remove {held.Name}` and join it anew."));
        var next = held with { Name = asked.Name, Address = asked.Address, Ports = asked.Ports, KeyPin = asked.KeyPin, Version = asked.Version, Kind = asked.Kind, JoinedWith = asked.JoinedWith };
        return Entries.SayTheSame(next, held) ? held : next with { Incarnation = held.Incarnation + 1 };
    }

    private async Task CheckNotLiveElsewhereAsync(ClusterDocument document, NodeEntry asked, CancellationToken cancel)
    {
        if (!document.Nodes.TryGetValue(asked.Id, out var held) || held.Removed || asked.Id == membership.Node.Id) return;
        if (HostPort.SameAddress(held.Address, asked.Address) && held.Ports.Peers == asked.Ports.Peers) return;
        if (await client.TryAskAsync(held.Address, held.Ports.Peers, cancel) is { } answer && answer.NodeId == asked.Id)
            throw Cloned(held, $"an agent with it answers at {held.Address} now");
    }

    private static void CheckToken(ClusterDocument document, JoinRequest request, DateTimeOffset now)
    {
        if (!document.Tokens.TryGetValue(request.TokenId, out var token))
            throw new ProblemException(new("join/unknown-token", "The cluster does not know this token.", $"No token has the id {request.TokenId}.", "If it was made just now, try again in a few seconds; otherwise make one with `nomadstack token create`."));
        // The secret first: only its owner learns that a token has expired or was revoked.
        if (!JoinToken.Matches(token, request.Secret))
            throw new ProblemException(new("join/wrong-secret", "The token's secret is wrong.", $"The cluster knows token {token.Id}, with another secret.", "Copy the token again, or make one with `nomadstack token create`."));
        if (token.Revoked)
            throw new ProblemException(new("join/revoked", $"Token {token.Id} was revoked.", "An operator took it back.", "Make another with `nomadstack token create`."));
        if (token.ExpiresAt <= now)
            throw new ProblemException(new("join/expired", $"Token {token.Id} has expired.", $"It was good until {token.ExpiresAt:u}; now it is {now:u}.", "Make another with `nomadstack token create`."));
    }

    /// <summary>A node that asks again, as after a crash, is none more.</summary>
    private static void CheckUses(ClusterDocument document, NodeEntry asked)
    {
        if (document.Tokens.GetValueOrDefault(asked.JoinedWith!) is not { Uses: { } most } token) return;
        var others = document.Nodes.Values.Count(n => n.JoinedWith == token.Id && n.Id != asked.Id);
        if (others >= most)
            throw new ProblemException(new("join/used-up", $"Token {token.Id} was used already.", $"It lets {(most == 1 ? "one node" : $"{most} nodes")} in, and has.", "Make another with `nomadstack token create`, for more nodes with --uses."));
    }

    /// <exception cref="ProblemException"><c>join/clock-skew</c>.</exception>
    public static void CheckClock(DateTimeOffset joining, DateTimeOffset cluster)
    {
        var skew = (joining - cluster).Duration();
        if (skew > MaxClockSkew)
            throw new ProblemException(new("join/clock-skew", $"The clocks of this node and the cluster differ by {skew.TotalMinutes:0} minutes.", $"This node says {joining:u}, the cluster {cluster:u}; more than {MaxClockSkew.TotalMinutes:0} minutes break certificates and tokens.", "Set both clocks (NTP), then try again."));
    }

    /// <summary>Bounded: the new node, this one, those with servers first; anti-entropy brings the rest.</summary>
    private ClusterDocument FirstView(ClusterDocument document, NodeEntry admitted)
    {
        var nodes = document.Nodes.Values
            .OrderByDescending(n => n.Id == admitted.Id)
            .ThenByDescending(n => n.Id == membership.Node.Id)
            .ThenByDescending(n => n.Servers.Count)
            .Take(SyncLimits.Entries);
        return document with { Nodes = nodes.ToDictionary(n => n.Id), Tokens = new Dictionary<string, TokenEntry>() };
    }

    private static ProblemException Cloned(NodeEntry held, string why) =>
        new(new("join/cloned", $"Another machine is node {held.Id} already.", $"The cluster knows that id as {held.Name} at {held.Address}, and {why}. A data folder was copied, or a machine's image was taken after its first start.", "On the copy, stop the agent, move its data folder away and join again: it gets an id of its own.") { Unsafe = true });
}
