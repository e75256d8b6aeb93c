// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot prune</c>: deletes what need not be kept on this node, which the agent does by itself as well.</summary>
internal sealed class PruneCommand : Command
{
    public PruneCommand(Surroundings here, GlobalOptions global)
        : base("prune", "Delete the snapshots of this node that need not be kept")
    {
        var dry = Setting.Flag(here, "--dry-run", "Only show which");
        Options.Add(dry);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var result = await agent.PruneSnapshotsAsync(parse.GetValue(dry), cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, result, ApiJson.Readable.PruneResult);
            else foreach (var name in result.Deleted) here.Out.WriteLine(name);
            return ExitCode.Done;
        });
    }
}
