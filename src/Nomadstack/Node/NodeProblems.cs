// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Node;

/// <summary>What the daemon refuses, as a person reads it.</summary>
internal static class NodeProblems
{
    public static Problem DrainedNodeGone(string node) => new(
        "node/unknown",
        $"There is no node {node} any more.",
        "It was removed while this command followed its drain.",
        "See `nomadstack node list`.");

    /// <param name="what">What was asked for, as a sentence continues: "make a join token".</param>
    public static Problem NeedsAServerNode(string node, string what, IEnumerable<string> servers) => new(
        "node/client-node",
        $"{node} is a client node and cannot {what}.",
        "A client node has no token that may do more than its own node's business, so that whoever steals it can do no more either.",
        $"Run the command on a server node: {string.Join(", ", servers)}.")
    { Unsafe = true };

    public static Problem NotThere(string node, string at, Problem? why) => new(
        "node/not-there",
        $"Node {node} does not answer at {at}.",
        why is null ? "No agent of this cluster with its certificate is there." : why.What + " " + why.Why,
        $"Check the address, that the agent of {node} runs (`nomadstack status` there), and that its peer port can be reached from here.");

    public static Problem NoSuchAddress(string text) => new(
        "node/bad-address",
        $"{text} is no address.",
        "An IP address is needed, or one with the peer port behind it.",
        "For example 10.0.0.7, 10.0.0.7:4640 or [2001:db8::7]:4640.");

    public static Problem DrainEnded(string node) => new(
        "drain/ended",
        $"The drain of {node} was ended before its servers had moved.",
        "The node takes allocations again.",
        "Run the drain again if the servers are to move.");

    public static Problem NoAddress() => new(
        "node/no-address",
        "This machine has no address that other machines could reach.",
        "It has no default route, so no interface can be chosen.",
        "Name an address with --bind IP. Without one, `nomadstack up` uses 127.0.0.1 and makes a cluster of this machine alone.");

    public static Problem Removed(string node) => new(
        "node/removed",
        $"Node {node} was removed from its cluster.",
        "An operator ran `nomadstack node remove` on another node. This node's servers, clients and tasks were stopped; their folders are in retired/.",
        "To make it a member again, start the agent with --join and a token. Otherwise, move the data folder away.")
    { Unsafe = true, Lasting = true };
}
