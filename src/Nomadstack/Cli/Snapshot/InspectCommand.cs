// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Archives;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot inspect</c>: reads a snapshot to its end and shows what it holds. With a key, where no agent runs, too.</summary>
internal sealed class InspectCommand : Command
{
    public InspectCommand(Surroundings here, GlobalOptions global)
        : base("inspect", "Read a snapshot to its end, check it, and show what it holds")
    {
        var of = new Argument<string>("SNAPSHOT") { Description = "A name that `snapshot list` shows, or a file" };
        var key = Setting.Text(here, "--key-file", "FILE", "The recovery key, for a file of another cluster or without an agent; - for standard input");
        Arguments.Add(of);
        Options.Add(key);
        SetAction(async (parse, cancel) =>
        {
            SnapshotInfo info;
            if (parse.GetValue(key) is { } keyFile)
            {
                var typed = SnapshotFiles.FirstLine(here, keyFile, "--key-file");
                if (!RecoveryKey.TryParse(typed, out var read)) throw new ProblemException(ArchiveProblems.BadKey());
                var path = parse.GetRequiredValue(of);
                info = Describe(path, (await ArchiveReader.OpenAsync(path, read.Text, cancel)).Manifest);
            }
            else
            {
                using var agent = global.Client(parse);
                info = await agent.InspectSnapshotAsync(SnapshotFiles.ForAgent(parse.GetRequiredValue(of)), cancel);
            }

            if (parse.GetValue(global.Json)) Answer.Json(here, info, ApiJson.Readable.SnapshotInfo);
            else SnapshotText.One(here.Out, info);
            return ExitCode.Done;
        });
    }

    private static SnapshotInfo Describe(string path, ArchiveManifest manifest) =>
        new(Path.GetFileName(path), manifest.TakenAt, manifest.Node, manifest.ClusterId, manifest.Release, new FileInfo(path).Length, Path.GetFullPath(path),
            [.. manifest.Products.Select(p => new SnapshotOfProduct(p.Name, p.Version, p.Index, p.Term, p.File.Size, p.Counts))]);
}
