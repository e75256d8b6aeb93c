// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot save</c>: takes a snapshot now, proves it, and copies it to a file if wanted.</summary>
internal sealed class SaveCommand : Command
{
    public SaveCommand(Surroundings here, GlobalOptions global)
        : base("save", "Take a snapshot of the whole cluster now, and verify it")
    {
        var output = Setting.Text(here, "--output", "FILE", "Also copy it to this file");
        output.Aliases.Add("-o");
        Options.Add(output);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var (file, json) = (parse.GetValue(output), parse.GetValue(global.Json));
            if (file is not null && detach.Read(parse)) throw ExitCode.WrongUsage("A file and --detach do not go together.", "The file is written when the snapshot is there. Leave out one of the two.");
            var code = await OperationEnd.ReachAsync(here, agent, await agent.SaveSnapshotAsync(cancel), detach.Read(parse), json, cancel);
            if (file is null || code != ExitCode.Done) return code;
            var newest = (await agent.SnapshotsAsync(cancel))[0];
            await SnapshotFiles.CopyAsync(newest.Path, file, cancel);
            new ProgressWriter(here).Done($"{newest.Name} copied to {file}");
            return ExitCode.Done;
        });
    }
}
