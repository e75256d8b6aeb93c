// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Job;

/// <summary>What can be wrong with a job and its file, in words for an operator.</summary>
internal static class JobProblems
{
    private const string NameAFile = "Name a file with a job in HCL or JSON, or - for standard input.";

    public static Problem Empty(string file) => new("job/invalid", $"{file} is empty.", "", NameAFile);

    public static Problem BadJson(string file, long? line) => new(
        "job/invalid",
        $"{file} begins like JSON but is not valid JSON.",
        $"It cannot be read from line {line + 1} on.",
        "Correct the file and run it again. Nothing was changed.");

    public static Problem NoFile(string file) => new("usage/no-file", $"There is no file {file}.", "", NameAFile);

    public static Problem Unreadable(string file, bool denied) => new(
        "usage/no-file",
        $"{file} cannot be read.",
        denied ? "Its permissions do not allow it." : "The disk or the file system reported an error.",
        "Make the file readable, or name another one.");

    public static Problem NotPlaced(string job, IEnumerable<string> failures) => new(
        "job/not-placed",
        $"Nomad could not place all of job {job}.",
        string.Join(" ", failures),
        $"Add nodes, free resources or change the job. Nomad places the rest as soon as a node fits. `nomadstack job stop {job}` withdraws the job.");

    public static Problem NotEvaluated(string job, string status, string description) => new(
        "job/not-evaluated",
        $"The evaluation of job {job} ended as {status}.",
        description,
        "Run the job again. If the error stays, read the log of the leader.");

    public static Problem DeploymentFailed(string job, string status, string counts, string why, string fix) => new(
        "job/deployment-failed",
        $"The deployment of job {job} ended as {status}: {counts} allocations became healthy.",
        why,
        fix);

    public static Problem AllocationFailed(string job, string status, string why, string fix) => new(
        "job/allocation-failed",
        $"An allocation of job {job} is {status}.",
        why,
        fix);
}
