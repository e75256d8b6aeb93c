// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Output;

/// <summary>Follows an operation to its end on the local socket. If the agent restarts meanwhile, it waits: the agent continues the operation.</summary>
internal sealed class Follower(AgentClient agent, ProgressWriter progress, TimeProvider time)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>A restart takes seconds. An agent that is away longer does not come back by itself.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The finished operation.</summary>
    /// <exception cref="ProblemException">It was refused or failed, or the agent did not come back.</exception>
    public async Task<Operation> ToEndAsync(Operation operation, CancellationToken cancel)
    {
        var lastAnswer = time.GetTimestamp();
        try
        {
            while (true)
            {
                progress.Show(operation);
                if (operation.State != Operation.Running) break;
                await Task.Delay(Interval, time, cancel);
                try
                {
                    operation = await agent.OperationAsync(operation.Id, cancel);
                    lastAnswer = time.GetTimestamp();
                }
                catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode && time.GetElapsedTime(lastAnswer) < Patience)
                {
                    progress.Waiting("wait for the agent to answer again: " + e.Problem.Why, time.GetElapsedTime(lastAnswer));
                }
            }
        }
        finally
        {
            progress.Clear();
        }

        return operation.State == Operation.Finished ? operation : throw new ProblemException(Ended(operation));
    }

    /// <summary>Why an operation ended without being done. A refusal is always for safety.</summary>
    public static Problem Ended(Operation operation)
    {
        var problem = operation.Problem ?? CliProblems.NotFinished(operation);
        return operation.State == Operation.Refused ? problem with { Unsafe = true } : problem;
    }
}
