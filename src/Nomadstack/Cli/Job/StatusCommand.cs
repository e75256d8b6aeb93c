// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Job;

/// <summary><c>nomadstack job status</c>: all jobs, or one with its allocations. With <c>--json</c>, Nomad's own documents.</summary>
internal sealed class StatusCommand : Command
{
    private readonly Surroundings _here;

    public StatusCommand(Surroundings here, GlobalOptions global)
        : base("status", "Show all jobs, or one job and its allocations")
    {
        _here = here;
        var job = new Argument<string?>("JOB") { Description = "The job's id", Arity = ArgumentArity.ZeroOrOne };
        Arguments.Add(job);
        SetAction(async (parse, cancel) =>
        {
            var jobs = await JobsEndpoint.FindAsync(here, global, parse, cancel);
            var json = parse.GetValue(global.Json);
            if (parse.GetValue(job) is { } id) One(await jobs.JobAsync(id, cancel), await jobs.AllocationsAsync(id, cancel), json);
            else All(await jobs.JobsAsync(cancel), json);
            return ExitCode.Done;
        });
    }

    private void All(JsonElement jobs, bool json)
    {
        if (json)
        {
            JobAnswer.Write(_here, writer => Member(writer, "jobs", jobs));
            return;
        }

        var table = new Table("JOB", "TYPE", "PRIORITY", "STATUS");
        foreach (var job in jobs.Items())
            table.Row(job.Text("ID"), job.Text("Type"), job.Number("Priority").ToString(CultureInfo.InvariantCulture), StatusOf(job));
        table.WriteTo(_here.Out);
    }

    private void One(JsonElement job, JsonElement allocations, bool json)
    {
        if (json)
        {
            JobAnswer.Write(_here, writer =>
            {
                Member(writer, "job", job);
                Member(writer, "allocations", allocations);
            });
            return;
        }

        _here.Out.WriteLine($"{StatusOf(job)}: {job.Text("Type")} job {job.Text("ID")}, version {job.Number("Version")}");
        var description = job.Text("StatusDescription");
        if (description.Length > 0) _here.Out.WriteLine(Prose.OneLine(description));
        var table = new Table("ALLOCATION", "GROUP", "NODE", "VERSION", "DESIRED", "STATUS");
        foreach (var a in allocations.Items().OrderByDescending(a => a.Number("CreateTime")))
            table.Row(a.Text("ID") is { Length: > 8 } id ? id[..8] : a.Text("ID"), a.Text("TaskGroup"), a.Text("NodeName"), a.Number("JobVersion").ToString(CultureInfo.InvariantCulture), a.Text("DesiredStatus"), a.Text("ClientStatus"));
        _here.Out.WriteLine();
        table.WriteTo(_here.Out);
    }

    private static string StatusOf(JsonElement job) => job.True("Stop") ? $"{job.Text("Status")} (stopped)" : job.Text("Status");

    private static void Member(Utf8JsonWriter writer, string name, JsonElement value)
    {
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }
}
