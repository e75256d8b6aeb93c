// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack version</c>: needs no agent.</summary>
internal sealed class VersionCommand : Command
{
    public VersionCommand(Surroundings here, GlobalOptions global)
        : base("version", "Print the version of this binary")
    {
        SetAction(parse =>
        {
            var version = BuildVersion.Document();
            if (parse.GetValue(global.Json)) Answer.Json(here, version, ApiJson.Readable.VersionDocument);
            else here.Out.WriteLine($"nomadstack {version.Version}{(version.Commit.Length > 0 ? $" ({version.Commit[..Math.Min(12, version.Commit.Length)]})" : "")}, {version.Runtime}, {version.Platform}");
            return ExitCode.Done;
        });
    }
}
