// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack recover</c>: what only a person may decide after state was lost.</summary>
internal sealed class RecoverCommand : Command
{
    public RecoverCommand(Surroundings here, GlobalOptions global)
        : base("recover", "Decide what only a person may decide after state was lost")
    {
        var accept = Setting.Flag(here, "--accept-state", "Open this node's gate although the servers lost state: its tasks become what that state says, others are stopped");
        Options.Add(accept);
        SetAction(async (parse, cancel) =>
        {
            if (!parse.GetValue(accept)) throw ExitCode.WrongUsage("It is not said what to do.", "Add --accept-state, on each node whose gate is closed because the servers lost state.");
            using var agent = global.Client(parse);
            await agent.AcceptStateAsync(cancel);
            new ProgressWriter(here).Done("accepted: this node's client starts with the state that the servers have");
            return ExitCode.Done;
        });
    }
}
