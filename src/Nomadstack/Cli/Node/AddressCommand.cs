// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Node;

/// <summary><c>nomadstack node address</c>: names the address of a member that this node cannot find. Nodes in one network find each other by themselves.</summary>
internal sealed class AddressCommand : Command
{
    public AddressCommand(Surroundings here, GlobalOptions global)
        : base("address", "Tell this node the new address of another one that it cannot find; nodes of one network find each other by themselves")
    {
        var node = new Argument<string>("NODE") { Description = "Name or id of the node" };
        var address = new Argument<string>("ADDRESS") { Description = "Where its agent answers: IP, or IP:PORT with another peer port" };
        Arguments.Add(node);
        Arguments.Add(address);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            await agent.FindNodeAsync(parse.GetRequiredValue(node), parse.GetRequiredValue(address), cancel);
            new ProgressWriter(here).Done($"node {parse.GetRequiredValue(node)} answers at {parse.GetRequiredValue(address)}; every node learns it from this one");
            return ExitCode.Done;
        });
    }
}
