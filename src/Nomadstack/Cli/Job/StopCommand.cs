// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Job;

/// <summary><c>nomadstack job stop</c>: stops a job and follows until none of its allocations runs.</summary>
internal sealed class StopCommand : Command
{
    public StopCommand(Surroundings here, GlobalOptions global)
        : base("stop", "Stop a job and follow until none of its allocations runs")
    {
        var job = new Argument<string>("JOB") { Description = "The job's id" };
        var purge = Setting.Flag(here, "--purge", "Also purge the job from Nomad's state");
        Arguments.Add(job);
        Options.Add(purge);
        var detach = new DetachOption(this, here);
        var timeout = new TimeoutOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            var jobs = await JobsEndpoint.FindAsync(here, global, parse, cancel);
            var id = parse.GetRequiredValue(job);
            var started = here.Time.GetTimestamp();
            var progress = new ProgressWriter(here);
            // Nomad accepts the stop of a job that does not exist. A wrong name must be an error here.
            await jobs.JobAsync(id, cancel);
            var evaluation = (await jobs.DeregisterAsync(id, parse.GetValue(purge), cancel)).Text("EvalID");
            if (detach.Read(parse)) progress.Done($"job {id} was asked to stop");
            else
            {
                await timeout.WithinAsync(parse, $"Job {id} has not stopped yet", async c =>
                {
                    await new JobFollower(jobs, progress, here.Time).StoppedAsync(id, evaluation, c);
                    return true;
                }, cancel);
                progress.Done($"job {id} stopped", here.Time.GetElapsedTime(started));
            }

            if (parse.GetValue(global.Json)) JobAnswer.Write(here, json =>
            {
                json.WriteString("job", id);
                json.WriteString("evaluation", evaluation);
            });
            return ExitCode.Done;
        });
    }
}
