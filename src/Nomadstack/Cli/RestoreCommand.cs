// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack restore</c>: makes the cluster of an archive anew, on a machine that belongs to none.</summary>
internal sealed class RestoreCommand : Command
{
    public RestoreCommand(Surroundings here, GlobalOptions global)
        : base("restore", "Make a burnt cluster anew on this blank machine, from one archive and the recovery key")
    {
        var archive = new Argument<string>("ARCHIVE") { Description = "The archive, as a snapshot of the schedule or of `snapshot save`" };
        var key = Setting.Text(here, "--key", "FILE", "File with the recovery key (default: standard input)");
        Arguments.Add(archive);
        Options.Add(key);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var operation = await agent.RestoreAsync(new(Path.GetFullPath(parse.GetRequiredValue(archive)), await KeyAsync(here, parse.GetValue(key), cancel)), cancel);
            var end = await OperationEnd.ReachAsync(here, agent, operation, detach.Read(parse), parse.GetValue(global.Json), cancel);
            if (end == ExitCode.Done) here.Error.WriteLine("Other machines join as ever: `nomadstack token create`. Servers are placed on them until there are as many as before.");
            return end;
        });
    }

    private static async Task<string> KeyAsync(Surroundings here, string? file, CancellationToken cancel)
    {
        try
        {
            return file is null ? await here.In.ReadToEndAsync(cancel) : await File.ReadAllTextAsync(file, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExitCode.WrongUsage($"The key file {file} cannot be read: {e.Message}", "Name a file with the recovery key, or pipe the key in.");
        }
    }
}
