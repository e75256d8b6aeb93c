// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Job;

/// <summary><c>nomadstack job logs</c>: what the tasks of a job or an allocation wrote. With several, each line begins with its allocation's name.</summary>
internal sealed class LogsCommand : Command
{
    /// <summary>Nomad takes 100 connections of one caller (<c>limits.http_max_conns_per_client</c>); some stay for other calls.</summary>
    private const int MostFollowed = 64;

    private readonly Surroundings _here;

    public LogsCommand(Surroundings here, GlobalOptions global)
        : base("logs", "Show what the tasks of a job or of one allocation wrote")
    {
        _here = here;
        var target = new Argument<string>("JOB|ALLOC") { Description = "The job's id, or the beginning of an allocation's id" };
        var follow = Setting.Flag(here, "--follow", "Show what comes too, until the tasks have ended");
        follow.Aliases.Add("-f");
        var task = Setting.Text(here, "--task", "TASK", "Only this task (default: all)");
        var stderr = Setting.Flag(here, "--stderr", "Show standard error instead of standard output");
        var tail = Setting.Number(here, "--tail", "N", "Begin with the last N lines (default: all)");
        Arguments.Add(target);
        foreach (var option in (Option[])[follow, task, stderr, tail]) Options.Add(option);
        SetAction(async (parse, cancel) =>
        {
            var (name, follows, type) = (parse.GetRequiredValue(target), parse.GetValue(follow), parse.GetValue(stderr) ? "stderr" : "stdout");
            try
            {
                var jobs = await JobsEndpoint.FindAsync(here, global, parse, cancel);
                var tasks = await AllocationChoice.FindAsync(jobs, name, parse.GetValue(task), cancel);
                if (follows && tasks.Count > MostFollowed) throw new ProblemException(JobProblems.TooManyLogs(name, tasks.Count, MostFollowed));
                var (labels, oneLine) = (Labels(tasks), new Lock());
                return await AllAsync(tasks, async i =>
                {
                    var output = new LogOutput(here, tasks[i], labels[i], parse.GetValue(global.Json), oneLine);
                    await jobs.Log(tasks[i].Allocation, tasks[i].Task, type).CopyAsync(parse.GetValue(tail), follows, output.Write, cancel);
                    output.End();
                }, follows);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                // Nothing goes on that one would have to know of.
                return ExitCode.Interrupted;
            }
        });
    }

    /// <summary>All at once when they are followed, else one after the other. One that cannot be had takes nothing from the others, and is told.</summary>
    private async Task<int> AllAsync(IReadOnlyList<ChosenTask> tasks, Func<int, Task> copy, bool atOnce)
    {
        var progress = new ProgressWriter(_here);
        var code = ExitCode.Done;
        var running = new List<Task>();
        for (var i = 0; i < tasks.Count; i++)
        {
            var one = tasks.Count == 1 ? copy(i) : ToldAsync(i);
            if (atOnce) running.Add(one);
            else await one;
        }

        await Task.WhenAll(running);
        return code;

        async Task ToldAsync(int i)
        {
            try
            {
                await copy(i);
            }
            catch (ProblemException e)
            {
                progress.Failed($"{e.Problem.What} {e.Problem.Why}");
                code = ExitCode.Failed;
            }
        }
    }

    /// <summary>Empty for a single one; else as short as tells them apart, and of one width.</summary>
    private static string[] Labels(IReadOnlyList<ChosenTask> tasks)
    {
        if (tasks.Count == 1) return [""];
        var (severalTasks, sameNames) = (tasks.Select(t => t.Task).Distinct().Count() > 1, tasks.Select(t => (t.Name, t.Task)).Distinct().Count() < tasks.Count);
        var labels = tasks.Select(t => t.Name + (sameNames ? $" {AllocationChoice.Short(t.Allocation)}" : "") + (severalTasks ? $" {t.Task}" : "")).ToArray();
        var width = labels.Max(l => l.Length);
        return [.. labels.Select(l => l.PadRight(width))];
    }
}
