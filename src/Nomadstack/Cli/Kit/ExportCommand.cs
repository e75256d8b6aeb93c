// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cli.Snapshot;

namespace Nomadstack.Cli.Kit;

/// <summary><c>nomadstack kit export</c>: one encrypted file with what a person needs when nothing runs.</summary>
internal sealed class ExportCommand : Command
{
    public ExportCommand(Surroundings here, GlobalOptions global)
        : base("export", "Write the keys, tokens and addresses of the cluster into one encrypted file")
    {
        var output = Setting.Text(here, "--output", "FILE", "The file to write (default: nomadstack-kit.tar.gpg)");
        output.Aliases.Add("-o");
        var passphrase = Setting.Text(here, "--passphrase-file", "FILE", "A file whose first line is the passphrase; - for standard input");
        Options.Add(output);
        Options.Add(passphrase);
        SetAction(async (parse, cancel) =>
        {
            if (parse.GetValue(passphrase) is not { } from) throw ExitCode.WrongUsage("No passphrase was given.", "Name a file with --passphrase-file, or - to read it from standard input.");
            using var agent = global.Client(parse);
            var kit = await agent.MakeKitAsync(SnapshotFiles.FirstLine(here, from, "--passphrase-file"), cancel);
            var file = parse.GetValue(output) ?? "nomadstack-kit.tar.gpg";
            await SnapshotFiles.WriteAsync(file, to => to.WriteAsync(kit.Content, cancel).AsTask());
            new ProgressWriter(here).Done($"written to {file}: keep it where the cluster is not");
            return ExitCode.Done;
        });
    }
}
