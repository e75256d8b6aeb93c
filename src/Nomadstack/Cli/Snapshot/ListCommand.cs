// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot list</c>: the snapshots on this node, the newest first.</summary>
internal sealed class ListCommand : Command
{
    public ListCommand(Surroundings here, GlobalOptions global)
        : base("list", "List the snapshots on this node")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var all = await agent.SnapshotsAsync(cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, all, ApiJson.Readable.Snapshots);
            else SnapshotText.List(here.Out, all);
            return ExitCode.Done;
        });
    }
}
