// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Timeline;

internal static class TimelineProblems
{
    public static Problem NotWritten(string path, string why) => new(
        "timeline/not-written",
        $"What happens on this node cannot be written into {path}.",
        why,
        "Free space on the disk or make the folder writable. The agent goes on without it, and writes again as soon as it can.");

    public static Problem NotReadable(string path, string why) => new(
        "timeline/unreadable",
        $"{path} cannot be read.",
        why,
        "Run the command as the user that runs the agent, usually root.");

    public static Problem UnknownNode(string node) => new(
        "timeline/unknown-node",
        $"There is no node {node}.",
        "The membership does not contain it, or it was removed.",
        "See `nomadstack node list`.");
}
