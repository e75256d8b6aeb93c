// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>How the join of a client node can fail, in words for an operator.</summary>
internal static class ClientJoinProblems
{
    public static Problem UnknownKind(string token) => new(
        "join/unknown-kind",
        $"Token {token} lets nodes in as a kind that this agent does not know.",
        "A newer release made it.",
        "Name a node of that release with --join, or bring all nodes up to it.");

    public static Problem AskedAClientNode(string name, ClusterDocument document)
    {
        var servers = document.Nodes.Values.Where(n => n is { Removed: false, IsServer: true }).OrderBy(n => n.Name, StringComparer.Ordinal)
            .Select(n => $"{n.Name} ({HostPort.Join(n.Address, n.Ports.Peers)})").Take(3);
        return new(
            "join/asked-client-node",
            $"{name} is a client node and lets nobody in.",
            "A client node does not have the key with which the certificates of nodes are signed.",
            $"Name a server node with --join, such as {string.Join(", ", servers)}.");
    }

    public static Problem Name(string name) => new(
        "join/client-name",
        $"A client node cannot be named {name}.",
        "Its certificate names it, so that it cannot take another node's place. The name must be a host name.",
        "Give it a name of letters, digits and dashes with --name.");

    public static Problem OtherKind(NodeEntry held) => new(
        "join/other-kind",
        $"Node {held.Name} was let in as a {held.Kind ?? NodeKind.Server} node before.",
        held.IsServer ? "Its disk has keys of the cluster, which a client node must not have." : "The kind of a node does not change.",
        held.IsServer
            ? "Remove the node with `nomadstack node remove`, move its data folder away, and join with an empty one."
            : "Remove the node with `nomadstack node remove`, then join it again.")
    { Unsafe = true };

    public static Problem OldRelease(string name) => new(
        "join/client-older",
        $"Node {name} runs release 0.1.0, and this cluster has client nodes or tokens for them.",
        "That release does not know client nodes: it would give the cluster's keys to whoever shows such a token.",
        "Run this cluster's release of nomadstack on the node.");
}
