// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Explain;

internal static class ExplainProblems
{
    public static Problem OnlyOwn(string asked, string own) => new(
        "timeline/only-own",
        $"What happened on {asked} is not known here.",
        $"The agent of this node does not run, and this disk has the timeline of {own} alone.",
        $"Run the command on {asked}, or start the agent of this node.");
}
