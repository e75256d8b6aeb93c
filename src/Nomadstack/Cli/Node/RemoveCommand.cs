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
        var compromised = Setting.Flag(here, "--compromised", "Somebody else may have what the node had: replace all certificates, CAs, gossip keys and tokens as well");
        Arguments.Add(node);
        Options.Add(compromised);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var name = parse.GetRequiredValue(node);
            var status = await agent.StatusAsync(cancel);
            // What cannot be replaced is refused before the node is gone.
            if (parse.GetValue(compromised)) await agent.PlanRotationAsync(s_everything, cancel);
            await agent.RemoveNodeAsync(name, cancel);
            new ProgressWriter(here).Done($"node {name} removed");
            if (parse.GetValue(compromised))
            {
                var rotated = await OperationEnd.ReachAsync(here, agent, await agent.RotateAsync(s_everything, cancel), detach: false, parse.GetValue(global.Json), cancel);
                if (status.Nodes.FirstOrDefault(n => n.Name == name) is { Kind: not MemberStatus.ClientKind }) here.Error.WriteLine(AgentsAuthority);
                return rotated;
            }

            if (status.Cluster.Security == "secure" && status.Nodes.FirstOrDefault(n => n.Name == name) is { } removed) here.Error.WriteLine(WhatItStillHas(removed));
            return ExitCode.Done;
        });
    }

    private const string AgentsAuthority = "It was a server node and had the key of the agents' own CA, which cannot be replaced yet: keep port 4640 away from whoever may have its disk, and watch `nomadstack node list`.";

    private static readonly RotateRequest s_everything = new("all");

    /// <summary>Nothing revokes a certificate, and what a server node knew it still knows.</summary>
    private static string WhatItStillHas(MemberStatus node)
    {
        const string Tokens = "Its tokens are deleted as soon as there is a leader.";
        const string Certificates = "Its certificates open ports until they end, 30 days at most, unless the authorities are changed before; without a token those tell little.";
        const string Gossip = "It knows the key of Consul's gossip until `nomadstack rotate gossip`.";
        return node.Kind == MemberStatus.ClientKind ? $"{Tokens} {Certificates} {Gossip}" : "It was a server node: the keys and tokens that it had work until `nomadstack rotate all`.";
    }
}
