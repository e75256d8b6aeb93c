// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack metrics</c>: what the local agent sees as Prometheus text, for a textfile collector or a person. The agent's socket has it as well.</summary>
internal sealed class MetricsCommand : Command
{
    public MetricsCommand(Surroundings here, GlobalOptions global)
        : base("metrics", "Print this node's view of the cluster as metrics, in Prometheus's text format")
    {
        SetAction(async (parse, cancel) =>
        {
            if (parse.GetValue(global.Json))
                throw ExitCode.WrongUsage("Metrics have a format of their own.", "Leave out --json, or use `nomadstack status --json`, which has the same facts.");
            using var agent = global.Client(parse);
            here.Out.Write(await agent.MetricsAsync(cancel));
            here.Out.Flush();
            return ExitCode.Done;
        });
    }
}
