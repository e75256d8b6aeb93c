// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using System.Text;
using Nomadstack.Archives;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Snapshot;

namespace Nomadstack.Cli.Kit;

/// <summary><c>nomadstack kit inspect</c>: opens a kit without an agent, and shows what is in it but for the secrets.</summary>
internal sealed class InspectCommand : Command
{
    public InspectCommand(Surroundings here)
        : base("inspect", "Check a kit and show what is in it, without its secrets")
    {
        var file = new Argument<string>("FILE") { Description = "The kit" };
        var passphrase = Setting.Text(here, "--passphrase-file", "FILE", "A file whose first line is the passphrase; - for standard input");
        Arguments.Add(file);
        Options.Add(passphrase);
        SetAction(async (parse, cancel) =>
        {
            if (parse.GetValue(passphrase) is not { } from) throw ExitCode.WrongUsage("No passphrase was given.", "Name a file with --passphrase-file, or - to read it from standard input.");
            var kit = await ArchiveReader.OpenAsync(parse.GetRequiredValue(file), SnapshotFiles.FirstLine(here, from, "--passphrase-file"), cancel);
            here.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cluster {kit.Manifest.ClusterId}, {kit.Manifest.Kind} made at {kit.Manifest.TakenAt:u} on {kit.Manifest.Node}"));
            foreach (var name in kit.Names.Order(StringComparer.Ordinal)) here.Out.WriteLine("  " + name);
            if (kit.Has("addresses.txt")) here.Out.Write(Encoding.UTF8.GetString(kit.Small("addresses.txt")));
            return ExitCode.Done;
        });
    }
}
