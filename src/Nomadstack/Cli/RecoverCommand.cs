// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack recover</c>: the decisions after lost state that only a person may make.</summary>
internal sealed class RecoverCommand : Command
{
    public RecoverCommand(Surroundings here, GlobalOptions global)
        : base("recover", "Decide what to do after servers lost state")
    {
        var accept = Setting.Flag(here, "--accept-state", "Start this node's client with the older state that the servers have. Tasks that are not in that state are stopped");
        Options.Add(accept);
        SetAction(async (parse, cancel) =>
        {
            if (!parse.GetValue(accept)) throw ExitCode.WrongUsage("No action was named.", "Add --accept-state on each node whose gate is closed because the servers lost state.");
            using var agent = global.Client(parse);
            await agent.AcceptStateAsync(cancel);
            new ProgressWriter(here).Done("accepted: this node's client starts with the state of the servers");
            return ExitCode.Done;
        });
    }
}
