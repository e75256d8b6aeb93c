// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot key</c>: shows the recovery key, to be kept where the cluster is not.</summary>
internal sealed class KeyCommand : Command
{
    public KeyCommand(Surroundings here, GlobalOptions global)
        : base("key", "Show the recovery key, which opens the cluster's snapshots")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var shown = await agent.RecoveryKeyAsync(cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, shown, ApiJson.Readable.RecoveryKeyShown);
            else here.Out.WriteLine(shown.Key);
            return ExitCode.Done;
        });
    }
}
