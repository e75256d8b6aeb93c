// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>What can go wrong between agents and with this node's own membership, in words for an operator.</summary>
internal static class PeerProblems
{
    private const string SameVersion = "Run the same version of nomadstack on every node.";
    private const string RestorePki = "Restore pki/ from a backup, or move the data folder away and join this node again.";

    public static Problem NoCluster() => new(
        "peers/no-cluster",
        "This node is not a member of a cluster.",
        "No bootstrap and no join has finished here.",
        "Run `nomadstack bootstrap`, or start the agent with --join and --token-file.");

    public static Problem OtherCluster(string ours, string theirs) => new(
        "peers/other-cluster",
        "A peer of another cluster was refused.",
        $"This node belongs to cluster {ours}, the peer to {theirs}.",
        "Check the addresses: each node must be reachable at its recorded address, and no other machine may have that address.")
    { Unsafe = true };

    public static Problem Cloned(string name, string id, string address, int port) => new(
        "agent/cloned",
        $"Another agent already runs as node {name} ({id}).",
        $"It answers at {address}:{port} with this node's identity. One of the two data folders is a copy of the other.",
        "Keep one of the two. On the other machine, move the data folder away and join again: the machine then gets its own identity.")
    { Unsafe = true };

    public static Problem Unreachable(string where, string why) => new(
        "peers/unreachable",
        $"Peer {where} cannot be reached.",
        why,
        "Check that its agent runs and that the network allows its peer port (4640 by default).");

    public const string LargePacketsLostCode = "peers/large-packets-lost";

    public static Problem LargePacketsLost(string where) => new(
        LargePacketsLostCode,
        $"Large packets to peer {where} are lost on the way.",
        $"It answers when no packet is larger than {PeerProbe.SmallSegment} bytes, and nothing comes otherwise.",
        "Let ICMP through, or set the MTU of both machines' interfaces to what the way between them allows.");

    public static Problem BadAnswer(string where, string why) => new(
        "peers/bad-answer",
        $"Peer {where} sent an unexpected answer.",
        why,
        SameVersion);

    public static Problem ExchangeFailed(string peer, Exception e) => new(
        "peers/exchange-failed",
        $"The exchange with {peer} failed with an unexpected error.",
        $"{e.GetType().Name}: {e.Message}",
        "Report this as a bug, with the agent's log. The exchange with the other peers goes on.");

    public static Problem CannotListen(IPAddress address, int port, string why) => new(
        "peers/cannot-listen",
        $"The peer port {address}:{port} cannot be opened.",
        why,
        "Free the port, or give this node another address with --bind or another port with --port.");

    public const string NoSuchRouteCode = "peers/no-such-route";

    public static Problem NoSuchRoute(string request) => new(
        NoSuchRouteCode,
        "This agent does not know that request.",
        $"{request} is not part of its peer protocol.",
        SameVersion);

    public static Problem NoCertificate() => new(
        "peers/no-certificate",
        "Only members may send this request.",
        "The caller showed no certificate.",
        "Join the cluster first.");

    public static Problem Removed(string name) => new(
        "peers/removed",
        $"Node {name} was removed from the cluster.",
        "An operator ran `nomadstack node remove`. Since then, its certificate is refused.",
        "To bring the node back, move its data folder away and join it again.")
    { Unsafe = true };

    public static Problem OtherKey(string name) => new(
        "peers/other-key",
        $"The caller does not have the key of node {name}.",
        "The node joined with another key. The caller was removed, or its data folder is a copy.",
        "On the machine that you no longer need, stop the agent and move its data folder away.")
    { Unsafe = true };

    public static Problem BadRequest(string why) => new("peers/bad-request", "The request cannot be read.", why, SameVersion);

    public static Problem BadDocument(string complaint) => new(
        "peers/bad-document",
        "A peer sent a membership that is not valid.",
        $"In it, {complaint}.",
        $"{SameVersion} If all have the same, report this as a bug.");

    public static Problem RefusedEntry(RefusedEntry entry, string sender) => new(
        "peers/refused-entry",
        $"The entry of {entry.Name} that {sender} sent was refused.",
        $"{entry.Key}: {entry.Why}.",
        "The other entries were accepted. If both nodes run the same release, the sender or the node that gave it this entry is faulty or malicious. Check its agent; if in doubt, remove the node.");

    public static Problem NotAServerNode(string sender) => new(
        "peers/not-a-server-node",
        "Only server nodes exchange secrets.",
        $"Node {sender} or this node is not a server node, or is not yet known as one.",
        "If both are server nodes, wait a moment: a signed entry has not arrived yet.")
    { Unsafe = true };

    public static Problem ForeignFolder(string clusterFile, string id, string nodeFile) => new(
        "peers/foreign-folder",
        $"{clusterFile} does not contain this node.",
        $"The id in {nodeFile} is {id}, which is not among its members. One of the two files belongs to another node.",
        "Restore two files that belong together, or move the data folder away and join this node again.")
    { Unsafe = true };

    public static Problem OwnEntryTorn(string clusterFile, string complaint) => new(
        "storage/torn",
        $"{clusterFile} is damaged or was written by another program.",
        $"In this node's own entry, {complaint}.",
        $"Compare it with the version before, {clusterFile}.previous. If that one is right, copy it over and start the agent again.");

    public static Problem KeyTorn(string path, string why) => new(
        "storage/torn",
        $"{path} is damaged or was written by another program.",
        $"{char.ToUpperInvariant(why[0])}{why[1..]}.",
        RestorePki);

    public static Problem NoPki(string path) => new(
        "peers/no-pki",
        $"{path} is missing.",
        "This node is a member, but some of its keys are missing.",
        RestorePki);

    public static Problem Clock(DateTimeOffset now, DateTimeOffset notBefore) => new(
        "peers/clock",
        $"This machine's clock says {now:u}, which is before the cluster was made.",
        $"The cluster's CA is valid from {notBefore:u}. With this clock, no peer's certificate would be accepted.",
        "Set the clock (NTP), then start the agent again.");

    public static Problem CaExpired(DateTimeOffset now, DateTimeOffset notAfter) => new(
        "peers/ca-expired",
        $"The cluster's CA expired at {notAfter:u}.",
        $"This machine's clock says {now:u}.",
        "If the clock is wrong, set it and start the agent again. Otherwise the cluster needs a new CA.");

    public static Problem Unreadable(string path, string why) => new(
        "storage/unreadable",
        $"{path} cannot be read.",
        why,
        "Make the file readable for the user that runs the agent, then start the agent again.");

    public static Problem Unwritable(string path, string folder, string why) => new(
        "storage/unwritable",
        $"{path} could not be written. Its old content is unchanged.",
        why,
        $"Free space on the disk or make {folder} writable, then repeat the command.");

    public static Problem UnknownNode(string id) => new(
        "node/unknown",
        $"There is no node {id}.",
        "The membership has no node with that id.",
        "`nomadstack node list` shows the nodes.");

    public static Problem RemovesItself() => new(
        "node/self",
        "A node cannot remove itself.",
        "A node that stays in the membership must remove it.",
        "Run the command on another node.")
    { Unsafe = true };

    public static Problem TokenUnknown(string id) => new(
        "token/unknown",
        $"There is no token {id}.",
        "This node knows no token with that id.",
        "`nomadstack token list` shows the ids.");
}
