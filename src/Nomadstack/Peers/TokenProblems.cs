// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>What a token cannot be.</summary>
internal static class TokenProblems
{
    public static Problem Uses(int uses) => new(
        "token/uses",
        $"A token cannot let {uses} nodes in.",
        $"It lets in 1 to {MembershipRules.MaxNodes}, or any number.",
        "Give --uses another number, or leave it out.");

    public static Problem OnAClientNode() => new(
        "token/client-node",
        "A client node cannot make or revoke a token.",
        "Tokens are signed by server nodes, and this node's key is not certified for one.",
        "Run the command on a server node: `nomadstack node list` shows them.")
    { Unsafe = true };

    public static Problem OlderAgents(string node) => new(
        "token/client-older",
        "The cluster cannot have client nodes yet.",
        $"The agent of {node} is of release 0.1.0. It does not know client nodes, and would give the cluster's keys to whoever shows the token.",
        "Bring that agent up to this release, or remove the node.")
    { Unsafe = true };

    public static Problem Life(TimeSpan life) => new(
        "token/ttl",
        $"A token cannot live for {life.TotalSeconds:0} s.",
        "It would be over before anybody could use it.",
        "Give --ttl a time such as 1h.");
}
