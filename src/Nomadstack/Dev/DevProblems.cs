// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Dev;

/// <summary>What can go wrong with dev nodes, in words for an operator.</summary>
internal static class DevProblems
{
    public static Problem None(string folder) => new(
        "dev/none",
        $"There are no dev nodes in {folder}.",
        "`nomadstack up --dev-nodes 3` has not run on this data folder.",
        "Start the nodes with that command, or name their data folder with --data-dir.");

    public static Problem UnknownNode(string name, IEnumerable<string> nodes) => new(
        "dev/unknown-node",
        $"There is no dev node \"{name}\".",
        $"The nodes are {string.Join(", ", nodes)}.",
        "Name one of them.");

    public static Problem IsANode(string folder) => new(
        "dev/is-a-node",
        $"{folder} is the data folder of a node.",
        "Dev nodes need a data folder of their own.",
        "Name another one with --data-dir.")
    { Unsafe = true };

    public static Problem NotHealthy(int nodes, TimeSpan deadline, string state, string folder) => new(
        "dev/not-healthy",
        $"The {nodes} nodes did not become a healthy cluster within {deadline.TotalMinutes:0} minutes.",
        state,
        $"Read the agents' logs in {folder}. The same command continues from here.");

    public static Problem AgentEnded(string node, string lastWords, string log) => new(
        "dev/agent-ended",
        $"The agent of {node} ended.",
        lastWords,
        $"Read its log {log}.");
}
