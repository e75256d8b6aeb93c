// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Bootstrap;

/// <summary>How a bootstrap can fail, in words for an operator.</summary>
internal static class BootstrapProblems
{
    public static Problem TooSlow(string step, TimeSpan limit, string waitedFor, string logs) => new(
        "bootstrap/too-slow",
        $"The bootstrap did not finish the step \"{step}\" in {limit.TotalSeconds:0} s.",
        waitedFor.Length > 0 ? $"It was waiting for {waitedFor}." : "The step did not have the effect it should have.",
        $"Read the logs in {logs}, then run `nomadstack bootstrap` again. It starts from a clean state.");

    public static Problem Exists(string cluster) => new(
        "bootstrap/exists",
        $"This node is already a member of cluster {cluster}.",
        "Bootstrap never makes a second cluster on a data folder.",
        "`nomadstack status` shows the cluster. For a new cluster, use an empty data folder.")
    { Unsafe = true };

    public static Problem Joining(string host) => new(
        "bootstrap/joining",
        $"This agent is joining the cluster of {host}.",
        "It was started with --join.",
        "To make a new cluster, start the agent without --join.")
    { Unsafe = true };

    public static Problem Undone() => new(
        "bootstrap/undone",
        "The bootstrap failed and was undone.",
        "The agent was stopped while it undid the bootstrap. It has finished that now.",
        "Read the cause in the agent's log, then run `nomadstack bootstrap` again.");
}
