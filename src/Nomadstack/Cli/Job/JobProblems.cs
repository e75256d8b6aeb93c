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

    public static Problem NoAllocations(string job) => new(
        "job/no-allocations",
        $"Job {job} has no allocations.",
        "None was placed yet, or they were removed after they ended. A periodic or parameterized job has them under the ids of its children.",
        "See `nomadstack job status`.");

    public static Problem UnknownTarget(string target) => new(
        "job/unknown",
        $"There is no job {target}, and no allocation whose id begins with it.",
        "",
        "`nomadstack job status` lists all jobs, and `nomadstack job status JOB` its allocations. Set NOMAD_NAMESPACE for another namespace.");

    public static Problem SeveralAllocations(string target, IEnumerable<string> allocations) => new(
        "job/ambiguous",
        $"{target} means several allocations.",
        $"They are {string.Join(", ", allocations)}.",
        "Name one of them.");

    public static Problem SeveralTasks(string allocation, IEnumerable<string> tasks) => new(
        "job/ambiguous",
        $"Allocation {allocation} has several tasks.",
        $"They are {string.Join(", ", tasks)}.",
        "Name one of them with --task.");

    public static Problem NoTask(string target, string task, IEnumerable<string> tasks) => new(
        "job/no-task",
        $"{target} has no task {task}.",
        $"Its tasks are {string.Join(", ", tasks)}.",
        "Name one of them with --task.");

    public static Problem TooManyLogs(string target, int count, int most) => new(
        "job/ambiguous",
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{target} has {count} logs; at most {most} are followed at once."),
        "Nomad takes 100 connections of one caller.",
        "Name an allocation or a --task.");
}
