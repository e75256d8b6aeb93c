// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;

namespace Nomadstack.Cli.Output;

/// <summary>How every command that starts an operation ends: followed or detached, printed as a line or as JSON.</summary>
internal static class OperationEnd
{
    public static async Task<int> ReachAsync(Surroundings here, AgentClient agent, Operation operation, bool detach, bool json, CancellationToken cancel)
    {
        var progress = new ProgressWriter(here);
        if (!detach) operation = await new Follower(agent, progress, here.Time).ToEndAsync(operation, cancel);
        else if (operation.State is Operation.Refused or Operation.Failed) throw new Cluster.ProblemException(Follower.Ended(operation));

        if (json) Answer.Json(here, operation, ApiJson.Readable.Operation);
        else if (operation.State == Operation.Finished) progress.Done($"{operation.Kind} done", operation.EndedAt is { } end ? end - operation.StartedAt : null);
        else progress.Note($"{operation.Kind} runs in the agent as operation {operation.Id}; see `nomadstack status`");
        return ExitCode.Done;
    }
}
