// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Node;

/// <summary><c>nomadstack node list</c>: lists the members as the local agent knows them. Asks no server.</summary>
internal sealed class ListCommand : Command
{
    public ListCommand(Surroundings here, GlobalOptions global)
        : base("list", "List the nodes of the cluster")
    {
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var status = await agent.StatusAsync(cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, status.Nodes, ApiJson.Readable.Members);
            else StatusText.Nodes(status.Nodes).WriteTo(here.Out);
            return ExitCode.Done;
        });
    }
}
