// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary>What can go wrong in a command itself, in words for an operator.</summary>
internal static class CliProblems
{
    public static Problem NoProgram(Product product) => new(
        "program/none",
        $"This cluster has no {product.Program}.",
        "The cluster was made without it, or the agent found no such program.",
        "See the engine line of `nomadstack status`.");

    public static Problem NoCluster(Product product) => new(
        "program/no-cluster",
        $"There is no {product.Title} to talk to yet.",
        "This node is not a member of a cluster.",
        $"Make a cluster with `nomadstack bootstrap`, or set {product.Variables?.Address} to reach another one.");

    public static Problem NoScheduler() => new(
        "program/no-cluster",
        "There is no Nomad to talk to yet.",
        "This node is not a member of a cluster.",
        "Make a cluster with `nomadstack bootstrap`, or join one.");

    public static Problem NoCommandLine(Product product) => new(
        "program/none",
        $"The embedded engine has no {product.Program} command.",
        $"This cluster runs the embedded engine, and no {product.Program} program was found for it.",
        $"Use `nomadstack job` and `nomadstack node`. HashiCorp's {product.Program} works too, after `eval \"$(nomadstack env)\"`.");

    public static Problem NoLoader(string program, string loader) => new(
        "program/not-run",
        $"{program} cannot be run.",
        $"It needs {loader}, which is not on this machine.",
        "Install the package that has that file, or use a build for this system.");

    public static Problem NotRun(string program, string why, int errno) => new(
        "program/not-run",
        $"{program} cannot be run.",
        string.Create(CultureInfo.InvariantCulture, $"{why.TrimEnd('.')} (errno {errno})."),
        "Install it again at that path, or restart the agent: it then looks for the program again.");

    public static Problem TimedOut(string what, string limit) => new(
        ExitCode.TimedOutCode,
        $"{what}, {limit} after it was asked for.",
        "The time given with --timeout is over. The cluster goes on with the work.",
        "See `nomadstack job status`, or use a longer --timeout.");

    public static Problem NotReached(string goal, string limit, string lastSeen) => new(
        ExitCode.TimedOutCode,
        goal switch
        {
            "healthy" => $"The cluster is not healthy after {limit}.",
            "quorum" => $"The cluster has no quorum after {limit}.",
            _ => $"The agent or its processes still run after {limit}.",
        },
        $"Last seen: {lastSeen.TrimEnd('.')}.",
        "See `nomadstack status`, or wait longer with --timeout.");

    public static Problem NotFinished(Operation operation) => new(
        $"{operation.Kind}/{operation.State}",
        $"The {operation.Kind} ended as {operation.State} in the step \"{operation.Step}\".",
        operation.Reason.Length > 0 ? operation.Reason : "The agent gave no reason.",
        "Read the agent's log, then run the command again. It continues where it ended.");

    public static Problem FolderInUse(string folder) => new(
        "credentials/folder-in-use",
        $"{folder} exists and is not empty.",
        "Credentials are written into a folder of their own, so that nothing is overwritten and old ones are not mixed with new ones.",
        "Name another folder with --out, or remove this one.");

    public static Problem FolderNotWritten(string folder, string why) => new(
        "credentials/not-written",
        $"The credentials could not be written into {folder}.",
        why,
        "Correct that and run the command again. The tokens that were made end by themselves.");
}
