// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Job;

/// <summary><c>nomadstack job exec</c>: runs a command in a running task, on this terminal where there is one. Ends with the command's exit code.</summary>
internal sealed class ExecCommand : Command
{
    public ExecCommand(Surroundings here, GlobalOptions global)
        : base("exec", "Run a command in a running task; ends with its exit code")
    {
        var target = new Argument<string>("JOB|ALLOC") { Description = "The job's id, or the beginning of an allocation's id" };
        var words = new Argument<string[]>("COMMAND")
        {
            CaptureRemainingTokens = true,
            Arity = ArgumentArity.OneOrMore,
            Description = "The command and its arguments, passed on unchanged; options of nomadstack come before",
        };
        var task = Setting.Text(here, "--task", "TASK", "In this task (default: the only one)");
        var tty = Setting.OneOf(here, "--tty", "Give the command a terminal; auto: where standard input and output are one", "auto", "auto", "yes", "no");
        Arguments.Add(target);
        Arguments.Add(words);
        Options.Add(task);
        Options.Add(tty);
        SetAction(async (parse, cancel) =>
        {
            var jobs = await JobsEndpoint.FindAsync(here, global, parse, cancel);
            var name = parse.GetRequiredValue(target);
            var tasks = await AllocationChoice.FindAsync(jobs, name, parse.GetValue(task), cancel);
            // The newest allocation of a name may have ended; its command can only run where something runs.
            var chosen = One(name, tasks.Where(t => t.Runs).ToList() is { Count: > 0 } running ? running : tasks);
            var terminal = parse.GetValue(tty) switch { "yes" => true, "no" => false, _ => here.Terminal is not null };
            using var session = await jobs.ExecAsync(chosen.Allocation, chosen.Task, parse.GetRequiredValue(words), terminal, cancel);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            using var lent = terminal ? here.Terminal?.Raw() : null;
            using var resized = terminal && here.Terminal is { } screen ? screen.OnResize((width, height) => _ = session.ResizeAsync(width, height, ended.Token)) : null;
            if (terminal && here.Terminal is { } first) await session.ResizeAsync(first.Size.Width, first.Size.Height, cancel);
            // Reading a terminal cannot be called off: it ends with this process.
            var input = session.SendInputAsync(here.RawIn(), ended.Token);
            var output = session.OutputAsync(here.RawOut, here.RawError, ended.Token);
            if (await Task.WhenAny(input, output) == input && input.IsFaulted && !output.IsCompleted) await input;
            var code = await output;
            await ended.CancelAsync();
            return code;
        });
    }

    private static ChosenTask One(string target, IReadOnlyList<ChosenTask> tasks)
    {
        var allocations = tasks.Select(t => t.Allocation).Distinct().ToList();
        if (allocations.Count > 1) throw new ProblemException(JobProblems.SeveralAllocations($"Job {target}", allocations.Select(AllocationChoice.Short)));
        return tasks.Count == 1 ? tasks[0] : throw new ProblemException(JobProblems.SeveralTasks(AllocationChoice.Short(allocations[0]), tasks.Select(t => t.Task)));
    }
}
