// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Node;

/// <summary>What the daemon refuses, as a person reads it.</summary>
internal static class NodeProblems
{
    public static Problem Removed(string node) => new(
        "node/removed",
        $"Node {node} was removed from its cluster.",
        "An operator ran `nomadstack node remove` on another node. This node's servers, clients and tasks were stopped; their folders are in retired/.",
        "To make it a member again, start the agent with --join and a token. To forget the cluster, move the data folder away.") { Unsafe = true, Lasting = true };
}
