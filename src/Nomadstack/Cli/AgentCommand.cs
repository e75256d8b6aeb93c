// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;

namespace Nomadstack.Cli;

/// <summary>
/// <c>nomadstack agent</c>: the daemon. Ctrl-C and SIGTERM end the agent alone; its processes go on and are adopted at the next start. A second one does not wait for
/// what is under way: whatever the agent has begun is on disk, as it would be after a power cut.
/// </summary>
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
                var options = node.Read(parse);
                // Its own thread of work: one that never gives way must not keep the second signal from us.
                return await Task.Run(() => here.Daemon(options, false, cancel), CancellationToken.None).WaitAsync(here.HardStop);
            }
            catch (OperationCanceledException) when (here.HardStop.IsCancellationRequested)
            {
                return ExitCode.Interrupted;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return ExitCode.Done;
            }
        });
    }
}
