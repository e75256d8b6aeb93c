// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Node;

/// <summary><c>nomadstack node drain</c>: moves allocations and servers off a node. Follows until its servers have successors.</summary>
internal sealed class DrainCommand : Command
{
    private static readonly TimeSpan s_defaultDeadline = TimeSpan.FromHours(1);

    public DrainCommand(Surroundings here, GlobalOptions global)
        : base("drain", "Move allocations and servers off a node")
    {
        var node = new Argument<string>("NODE") { Description = "Name or id of the node" };
        var disable = Setting.Flag(here, "--disable", "End the drain: the node takes allocations again");
        var deadline = Setting.Span(here, "--deadline", "How long allocations may take to move before they are stopped (default: 1h)");
        Arguments.Add(node);
        Options.Add(disable);
        Options.Add(deadline);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var request = new DrainRequest(parse.GetValue(disable), (parse.GetValue(deadline) ?? s_defaultDeadline).TotalSeconds);
            var operation = await agent.DrainAsync(parse.GetRequiredValue(node), request, cancel);
            return await OperationEnd.ReachAsync(here, agent, operation, detach.Read(parse), parse.GetValue(global.Json), cancel);
        });
    }
}
