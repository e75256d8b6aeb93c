// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack agent</c>: the daemon. Ctrl-C and SIGTERM end only the agent. Its processes go on; the next start adopts them.</summary>
internal sealed class AgentCommand : Command
{
    public AgentCommand(Surroundings here, GlobalOptions global)
        : base("agent", "Run the agent of this node; `bootstrap` or --join makes the node a member of a cluster")
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
