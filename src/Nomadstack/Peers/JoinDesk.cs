// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Timeline;

namespace Nomadstack.Peers;

/// <summary>
/// Answers a node that wants to join: checks the token, checks that no other machine is that node, and adds it.
/// A refusal changes nothing. The same request gets the same answer, so a node that crashed while joining may ask again.
/// </summary>
/// <remarks>
/// Names, addresses and the uses of a token are compared with what this node knows. If two nodes join through two members within the same second, both are added.
/// </remarks>
internal sealed class JoinDesk(Membership membership, Pki pki, PeerClient client, PeerHealth health, TimeProvider time)
{
    /// <summary>Certificates and tokens do not work when clocks differ by more.</summary>
    public static readonly TimeSpan MaxClockSkew = TimeSpan.FromMinutes(5);

    public Journal Timeline { private get; init; } = Journal.Nowhere;

    /// <exception cref="ProblemException"><c>join/*</c>.</exception>
    public async Task<JoinAnswer> AnswerAsync(JoinRequest request, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var document = membership.Current ?? throw new ProblemException(PeerProblems.NoCluster());
        if (request.TokenId is null || request.Secret is null || request.PublicKey is null) throw BadRequest("It has no token, no secret or no public key.");
        CheckToken(document, request, now);
        var kind = NodeKind.Of(document.Tokens[request.TokenId]) ?? throw new ProblemException(ClientJoinProblems.UnknownKind(request.TokenId));
        if (!pki.CanSign) throw new ProblemException(ClientJoinProblems.AskedAClientNode(membership.Node.Name, document));
        CheckClock(request.Clock, now);
        if (health.Clocks(membership.Others).Own is { } off) throw new ProblemException(JoinProblems.MembersClockOff(membership.Node.Name, PeerClocks.Words(off)));
        var node = ReadNode(request.Node);
        CheckRelease(document, request, kind, node.Name, now);
        if (kind == NodeKind.Client && !(Certificates.IsHostName(node.Name) && Ascii.IsValid(node.Name))) throw new ProblemException(ClientJoinProblems.Name(node.Name));
        var asked = node with { JoinedWith = request.TokenId, RemovedAt = null, AdmittedAt = request.Signs ? now : null, KeyPin = Certificates.Pin(request.PublicKey), Removed = false, Servers = [], Incarnation = 1, Kind = request.Signs ? kind : null, Signed = null };
        using var certificate = pki.IssueFor(request.PublicKey, asked, now);
        await CheckNotLiveElsewhereAsync(document, asked, cancel);
        var admitted = membership.Admit(latest =>
        {
            CheckUses(latest, asked);
            return Decide(latest, asked, now);
        }, latest => latest.Nodes.Values.Where(n => n.Id != asked.Id && Provisional.IsOverdue(n, now) && (HasName(n, asked) || HasAddress(n, asked))));
        Timeline.Tell(EventKinds.Join, $"{admitted.Name} ({admitted.Address}) was let in as a {kind} node.", (EventFields.Peer, admitted.Name));
        return new JoinAnswer(certificate.ExportCertificatePem(), pki.Ca.ExportCertificatePem(), kind == NodeKind.Server ? pki.RevealCaKey() : null, FirstView(membership.Current ?? document, admitted),
            kind, pki.Prove(asked.Id, kind, request.PublicKey));
    }

    private static NodeEntry ReadNode(JsonElement node)
    {
        var id = node.ValueKind == JsonValueKind.Object && node.TryGetProperty("id", out var own) && own.ValueKind == JsonValueKind.String ? own.GetString()! : "";
        return MembershipRules.Node(id, node) is { } complaint ? throw BadRequest($"In the node's entry, {complaint}.") : Entries.Read(node, PeersJson.Default.NodeEntry);
    }

    private static ProblemException BadRequest(string why) =>
        new(JoinProblems.BadRequest(why));

    /// <summary>The entry for a node that asks to join; throws to refuse it.</summary>
    private NodeEntry Decide(ClusterDocument document, NodeEntry asked, DateTimeOffset now)
    {
        foreach (var other in document.Nodes.Values.Where(n => n.Id != asked.Id && !n.Removed))
        {
            if (HasName(other, asked))
                throw new ProblemException(JoinProblems.DuplicateName(other));
            if (HasAddress(other, asked))
                throw new ProblemException(JoinProblems.AddressInUse(other));
        }

        if (!document.Nodes.TryGetValue(asked.Id, out var held)) return asked;
        // What a server node has known is still on its disk, also after its removal; and a client node is not promoted by a second token.
        if (asked.Kind == NodeKind.Client ? held.IsServer : held is { IsServer: false, Removed: false }) throw new ProblemException(ClientJoinProblems.OtherKind(held));
        if (held.Removed) return asked with { Incarnation = held.Incarnation + 1 };
        if (asked.Id == membership.Node.Id) throw Cloned(held, "the node you are asking has it itself");
        if (held.KeyPin.Length > 0 && held.KeyPin != asked.KeyPin) throw Cloned(held, "it joined with another key");
        if (asked.Kind is null && held.Kind is not null)
            throw new ProblemException(JoinProblems.OlderRelease(held));
        var next = held with { Name = asked.Name, Address = asked.Address, Ports = asked.Ports, KeyPin = asked.KeyPin, Version = asked.Version, Kind = asked.Kind, JoinedWith = asked.JoinedWith, AdmittedAt = Provisional.IsOverdue(held, now) ? asked.AdmittedAt : held.AdmittedAt };
        return Entries.SayTheSame(next, held) ? held : next with { Incarnation = held.Incarnation + 1 };
    }

    private static bool HasName(NodeEntry other, NodeEntry asked) => string.Equals(other.Name, asked.Name, StringComparison.OrdinalIgnoreCase);

    private static bool HasAddress(NodeEntry other, NodeEntry asked) => HostPort.SameAddress(other.Address, asked.Address) && other.Ports.Peers == asked.Ports.Peers;

    private async Task CheckNotLiveElsewhereAsync(ClusterDocument document, NodeEntry asked, CancellationToken cancel)
    {
        if (!document.Nodes.TryGetValue(asked.Id, out var held) || held.Removed || asked.Id == membership.Node.Id) return;
        if (HostPort.SameAddress(held.Address, asked.Address) && held.Ports.Peers == asked.Ports.Peers) return;
        if (await client.TryAskAsync(held.Address, held.Ports.Peers, cancel) is { } answer && answer.NodeId == asked.Id)
            throw Cloned(held, $"an agent with this id answers at {held.Address}");
    }

    private static void CheckToken(ClusterDocument document, JoinRequest request, DateTimeOffset now)
    {
        if (!document.Tokens.TryGetValue(request.TokenId, out var token))
            throw new ProblemException(JoinProblems.UnknownToken(request.TokenId));
        // Check the secret first: only its owner may learn that the token has expired or was revoked.
        if (!JoinToken.Matches(token, request.Secret))
            throw new ProblemException(JoinProblems.WrongSecret(token.Id));
        if (token.Revoked)
            throw new ProblemException(JoinProblems.Revoked(token.Id));
        if (token.ExpiresAt <= now)
            throw new ProblemException(JoinProblems.Expired(token.Id, token.ExpiresAt, now));
    }

    /// <summary>Release 0.1.0 can run open products alone, and would give the cluster's keys to whoever shows a client node's token.</summary>
    private static void CheckRelease(ClusterDocument document, JoinRequest request, string kind, string name, DateTimeOffset now)
    {
        if (request.Signs) return;
        if (kind == NodeKind.Client) throw new ProblemException(ClientJoinProblems.OldRelease(name));
        if (document.Settings.Text(SettingNames.SecurityPhase) is not (null or SettingNames.Plain)) throw new ProblemException(JoinProblems.CannotBeClosed(name));
        if (document.Nodes.Values.Any(n => n is { IsServer: false, Removed: false })
            || document.Tokens.Values.Any(t => t is { Revoked: false, Kind: NodeKind.Client } && !(t.ExpiresAt <= now)))
        {
            throw new ProblemException(ClientJoinProblems.OldRelease(name));
        }
    }

    /// <summary>A node that asks again, as after a crash, is none more. One that never came is: whoever stole a token would else use it unnoticed.</summary>
    private static void CheckUses(ClusterDocument document, NodeEntry asked)
    {
        if (document.Tokens.GetValueOrDefault(asked.JoinedWith!) is not { Uses: { } most } token) return;
        var others = document.Nodes.Values.Count(n => n.JoinedWith == token.Id && n.Id != asked.Id);
        if (others >= most)
            throw new ProblemException(JoinProblems.UsedUp(token.Id, most));
    }

    /// <exception cref="ProblemException"><c>join/clock-skew</c>.</exception>
    public static void CheckClock(DateTimeOffset joining, DateTimeOffset cluster)
    {
        var skew = (joining - cluster).Duration();
        if (skew > MaxClockSkew)
            throw new ProblemException(JoinProblems.ClockSkew(joining, cluster, skew, MaxClockSkew));
    }

    /// <summary>The first entries for a new node: itself, this node, then nodes with servers. The number is limited; anti-entropy brings the rest.</summary>
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
        new(JoinProblems.Cloned(held, why));
}
