// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack agent</c>: the daemon. Ctrl-C and SIGTERM end the agent alone; its processes go on and are adopted at the next start.</summary>
internal sealed class AgentCommand : Command
{
    public AgentCommand(Surroundings here, GlobalOptions global)
        : base("agent", "Run the daemon of this node; `bootstrap` or --join makes it a member of a cluster")
    {
        var node = new NodeOptions(this, here, global);
        SetAction(async (parse, cancel) =>
        {
            try
            {
                return await here.Daemon(node.Read(parse), false, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return ExitCode.Done;
            }
        });
    }
}
