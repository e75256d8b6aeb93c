// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Servers;

/// <summary>What can be wrong with the servers of a node, in words for an operator.</summary>
internal static class ServerProblems
{
    public static Problem JobNotRegistered(Product product, string why) => new(
        "servers/job",
        $"The job {product.JobId} could not be registered.",
        why,
        "The agent tries again by itself. If this stays, run `nomadstack nomad job status` and read the server's log.");

    public static Problem UnknownRole(string role, IEnumerable<string> known) => new(
        "driver/unknown-role",
        $"This node runs no servers of the role \"{role}\".",
        $"It knows the roles {string.Join(", ", known.Order())}.",
        "Correct `role` in the task's config, and run the job again.")
    { Lasting = true };

    /// <param name="job">Who asks; with its namespace where that is not the default one.</param>
    public static Problem NotItsJob(string role, string job, string own) => new(
        "driver/not-its-job",
        $"The job {job} may not claim the {role} server of this node.",
        $"Only the job {own} in the namespace default places {role} servers. Two jobs would take the server from each other.",
        "Remove the driver nomadstack from this job.")
    { Lasting = true };

    public static Problem Leaving(string role) => new(
        "driver/leaving",
        $"The {role} server of this node is leaving its cluster.",
        "Another node's server has taken its place. The leave cannot be stopped.",
        "Nomad tries again by itself. The agent then starts a new server.");

    public static Problem NotRunning(string role) => new(
        "driver/not-running",
        $"The {role} server does not run on this node.",
        "There is nothing to signal.",
        "See `nomadstack status`.");

    public static Problem SignalRefused(string role, int signal) => new(
        "driver/signal",
        $"Signal {signal} is not passed on to the {role} server.",
        "It could stop the server, and the cluster could lose its quorum.",
        "SIGHUP and SIGUSR1 are passed on. To move the server, drain its node.");

    public static Problem QuorumNeedsIt(string role, string? version, int others, int voters) => new(
        "driver/quorum",
        $"The {role} server of this node cannot change to {version ?? "the node's own version"} now.",
        $"Only {others} of {voters} voters would be left, which is no quorum.",
        "The agent tries again by itself. `nomadstack status` shows the server that is missing.");
}
