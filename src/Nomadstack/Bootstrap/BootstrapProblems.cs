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

    public static Problem Undone() => new(
        "bootstrap/undone",
        "The bootstrap failed and was undone.",
        "The agent was stopped while it undid the bootstrap. It has finished that now.",
        "Read the cause in the agent's log, then run `nomadstack bootstrap` again.");
}
