// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Securing;

/// <summary>Why a cluster cannot be closed.</summary>
internal static class SecureProblems
{
    public static Problem OldRelease(IReadOnlyList<string> nodes) => new(
        "secure/old-release",
        $"The cluster cannot be closed while {string.Join(", ", nodes)} {(nodes.Count == 1 ? "runs" : "run")} nomadstack 0.1.0.",
        "Agents of that release know no certificates for Nomad and Consul, and would lose the cluster.",
        "Replace the program there and restart its agent, one node after the other. Then run `nomadstack secure` again.")
    { Unsafe = true };

    public static Problem Undone() => new(
        "secure/undone",
        "The cluster stays open.",
        "`nomadstack secure --undo` ended the preparation. Nothing was closed.",
        "Run `nomadstack secure` again when you want to close the cluster.");

    public static Problem TooLate() => new(
        "secure/too-late",
        "The cluster is closed, or is being closed.",
        "Its servers have access control by now, and only new ones would be without.",
        "`nomadstack status` shows how far it is. For a cluster without access control, make a new one with --insecure.")
    { Unsafe = true };

    public static Problem NotHere() => new(
        "secure/not-here",
        "This node cannot close the cluster.",
        "It does not have the cluster's secrets.",
        "Run the command on a server node. `nomadstack node list` shows them.");
}
