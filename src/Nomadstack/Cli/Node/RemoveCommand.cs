// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Node;

/// <summary><c>nomadstack node remove</c>: removes a node that never returns. The agent refuses while the node is reachable or holds a voter.</summary>
internal sealed class RemoveCommand : Command
{
    public RemoveCommand(Surroundings here, GlobalOptions global)
        : base("remove", "Remove a node that never returns; refused while it is reachable or holds a voter")
    {
        var node = new Argument<string>("NODE") { Description = "Name or id of the node" };
        Arguments.Add(node);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            await agent.RemoveNodeAsync(parse.GetRequiredValue(node), cancel);
            new ProgressWriter(here).Done($"node {parse.GetRequiredValue(node)} removed");
            return ExitCode.Done;
        });
    }
}
