// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot restore</c>: puts a snapshot's state into the cluster that runs. Shows what that does, and does it only with consent.</summary>
internal sealed class RestoreCommand : Command
{
    public RestoreCommand(Surroundings here, GlobalOptions global)
        : base("restore", "Take the running cluster back to a snapshot")
    {
        var of = new Argument<string>("SNAPSHOT") { Description = "A name that `snapshot list` shows, or a file of this cluster" };
        var plan = Setting.Flag(here, "--plan", "Show what would be done, and do nothing");
        var yes = Setting.Flag(here, "--yes", "Do it: what was written since the snapshot is lost");
        Arguments.Add(of);
        Options.Add(plan);
        Options.Add(yes);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var (snapshot, json) = (SnapshotFiles.ForAgent(parse.GetRequiredValue(of)), parse.GetValue(global.Json));
            var wanted = parse.GetValue(yes) && !parse.GetValue(plan);
            var planned = await agent.PlanRestoreAsync(snapshot, cancel);
            if (json && !wanted) Answer.Json(here, planned, ApiJson.Readable.RestorePlan);
            else SnapshotText.Plan(json || wanted ? here.Error : here.Out, planned);
            if (parse.GetValue(plan)) return ExitCode.Done;
            return await OperationEnd.ReachAsync(here, agent, await agent.RestoreSnapshotAsync(snapshot, wanted, cancel), detach.Read(parse), json, cancel);
        });
    }
}
