// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack secure</c>: closes a cluster that was open, while it runs.</summary>
internal sealed class SecureCommand : Command
{
    private static readonly string[] s_plan =
    [
        "1. CAs, gossip keys and tokens are made, and every node gets its certificates. Nothing changes yet; `nomadstack secure --undo` ends it.",
        "2. When every node has them and the cluster is healthy, all servers of Nomad and Consul start again at once, closed.",
        "   Nobody can write for about the time of an election. Allocations run on. From here there is no way back.",
        "3. Access control is initialised. Then Nomad's client starts again on one node after the other; its tasks run on.",
        "Afterwards, whoever speaks to Nomad or Consul needs a certificate and a token: `nomadstack env` here, `nomadstack credentials create` for other machines.",
        "Addresses and ports stay; http:// becomes https://.",
    ];

    public SecureCommand(Surroundings here, GlobalOptions global)
        : base("secure", "Close a cluster that was made open: TLS, access control and encrypted gossip, while it runs")
    {
        var plan = Setting.Flag(here, "--plan", "Show what would be done, and do nothing");
        var undo = Setting.Flag(here, "--undo", "End the preparation: the cluster stays open");
        Options.Add(plan);
        Options.Add(undo);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            if (parse.GetValue(plan))
            {
                foreach (var line in s_plan) here.Out.WriteLine(line);
                return ExitCode.Done;
            }

            using var agent = global.Client(parse);
            var operation = await agent.SecureAsync(new(parse.GetValue(undo)), cancel);
            return await OperationEnd.ReachAsync(here, agent, operation, detach.Read(parse), parse.GetValue(global.Json), cancel);
        });
    }
}
