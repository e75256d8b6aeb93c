// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Job;

/// <summary><c>nomadstack job run</c>: registers a job and follows it until it runs, or says why it cannot run.</summary>
internal sealed class RunCommand : Command
{
    public RunCommand(Surroundings here, GlobalOptions global)
        : base("run", "Register a job and follow it until it runs")
    {
        var file = new Argument<string>("FILE") { Description = "The job file, in HCL or JSON; - for standard input" };
        Arguments.Add(file);
        var detach = new DetachOption(this, here);
        var timeout = new TimeoutOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            var jobs = await JobsEndpoint.FindAsync(here, global, parse, cancel);
            var progress = new ProgressWriter(here);
            var started = here.Time.GetTimestamp();
            var job = await JobSource.ReadAsync(parse.GetRequiredValue(file), here.In, jobs.ParseAsync, cancel);
            var registered = await jobs.RegisterAsync(job, cancel);
            var id = job.Text("ID");
            var evaluation = registered.Text("EvalID");
            if (registered.Text("Warnings") is { Length: > 0 } warnings) progress.Note(warnings);
            progress.Done($"job {id} registered{(evaluation.Length > 0 ? $", evaluation {evaluation[..Math.Min(8, evaluation.Length)]}" : "")}", here.Time.GetElapsedTime(started));

            // Periodic and parameterized jobs have no evaluation: nothing runs until they are due or dispatched.
            if (evaluation.Length == 0) progress.Note("nothing to run now: the job is periodic or waits to be dispatched");
            else if (!detach.Read(parse))
                progress.Done($"job {id}: {await timeout.WithinAsync(parse, $"Job {id} does not run yet", c => new JobFollower(jobs, progress, here.Time).RunningAsync(id, evaluation, c), cancel)}", here.Time.GetElapsedTime(started));

            if (parse.GetValue(global.Json)) JobAnswer.Write(here, json =>
            {
                json.WriteString("job", id);
                json.WriteString("evaluation", evaluation);
            });
            return ExitCode.Done;
        });
    }
}
