// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack bootstrap</c>: asks the local agent to make a cluster and follows the work. Safe to repeat: it never makes a second cluster.</summary>
internal sealed class BootstrapCommand : Command
{
    public BootstrapCommand(Surroundings here, GlobalOptions global)
        : base("bootstrap", "Make a cluster with this node as its first member; safe to repeat")
    {
        var cluster = new ClusterOptions(this, here);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var operation = await agent.BootstrapAsync(new BootstrapRequest(cluster.Servers(parse), cluster.Without(parse), cluster.Insecure(parse)), cancel);
            return await OperationEnd.ReachAsync(here, agent, operation, detach.Read(parse), parse.GetValue(global.Json), cancel);
        });
    }
}
