// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
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
            var name = parse.GetRequiredValue(node);
            var status = await agent.StatusAsync(cancel);
            await agent.RemoveNodeAsync(name, cancel);
            new ProgressWriter(here).Done($"node {name} removed");
            if (status.Cluster.Security == "secure" && status.Nodes.FirstOrDefault(n => n.Name == name) is { } removed) here.Error.WriteLine(WhatItStillHas(removed));
            return ExitCode.Done;
        });
    }

    /// <summary>Nothing revokes a certificate, and what a server node knew it still knows.</summary>
    private static string WhatItStillHas(MemberStatus node)
    {
        const string Tokens = "Its tokens are deleted as soon as there is a leader.";
        const string Certificates = "Its certificates open ports until they end, 30 days at most, unless the authorities are changed before; without a token those tell little.";
        const string Gossip = "It knows the key of Consul's gossip until that is changed.";
        return node.Kind == MemberStatus.ClientKind ? $"{Tokens} {Certificates} {Gossip}" : "It was a server node: the keys and tokens that it had work until they are changed.";
    }
}
