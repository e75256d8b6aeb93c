// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The leader's queues, kept in step with the state: tell it of every command that was applied, and of time.</summary>
/// <remarks>Not for two threads at once. A server that loses the lead throws it away; the next leader fills its own from the state.</remarks>
internal sealed class EvaluationQueues(Func<string> newToken)
{
    private static readonly TimeSpan FollowUpDelay = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FollowUpRange = TimeSpan.FromMinutes(5);

    public EvalBroker Broker { get; } = new(newToken);

    public BlockedEvaluations Blocked { get; } = new();

    /// <summary>This server has become the leader: whatever is open is taken up again.</summary>
    public void Fill(StateSnapshot state, DateTimeOffset now)
    {
        foreach (var evaluation in state.Evaluations.All.Where(e => !e.Terminal)) Take(evaluation, now);
    }

    /// <summary>Call after each command, in the order of the log.</summary>
    public void Follow(Command command, StateSnapshot after, DateTimeOffset now)
    {
        foreach (var id in EvaluationsOf(command).Select(e => e.ID))
            if (after.Evaluation(id) is { } evaluation) Take(evaluation, now);
        if (!BlockedEvaluations.FreesCapacity(command, after)) return;
        foreach (var (evaluation, token) in Blocked.Unblock(after.Index)) Broker.Enqueue(evaluation, now, token);
    }

    /// <summary>A blocked evaluation was processed, and blocks again.</summary>
    public void Reblock(Evaluation evaluation, string token, DateTimeOffset now)
    {
        if (Blocked.Block(evaluation, token)) Broker.Enqueue(evaluation, now, token);
    }

    /// <summary>An evaluation that no worker has finished is given up, and another takes its place when whatever was wrong may have passed.</summary>
    /// <param name="chance">Between 0 and 1: not all come back at once.</param>
    public static UpsertEvaluations GiveUp(Evaluation evaluation, Func<string> newId, double chance, DateTimeOffset now)
    {
        var next = evaluation.Follow(EvalTrigger.FailedFollowUp, newId(), now) with { Wait = FollowUpDelay + FollowUpRange * Math.Clamp(chance, 0, 1) };
        var failed = evaluation with { Status = EvalStatus.Failed, StatusDescription = $"evaluation reached delivery limit ({EvalBroker.DeliveryLimit})", NextEval = next.ID };
        return new UpsertEvaluations([failed, next]);
    }

    private void Take(Evaluation evaluation, DateTimeOffset now)
    {
        switch (evaluation)
        {
            case { Status: EvalStatus.Pending }:
                Broker.Enqueue(evaluation, now);
                break;
            case { Status: EvalStatus.Blocked }:
                if (Blocked.Block(evaluation)) Broker.Enqueue(evaluation, now);
                break;
            case { Status: EvalStatus.Complete, FailedTGAllocs: null or { Count: 0 } }:
                Blocked.Untrack(evaluation.JobKey);
                break;
        }
    }

    private static IEnumerable<Evaluation> EvaluationsOf(Command command) => command switch
    {
        UpsertEvaluations c => c.Evaluations,
        RegisterJob c => One(c.Evaluation),
        DeregisterJob c => One(c.Evaluation),
        DeregisterNodes c => c.Evaluations,
        UpdateNodeStatus c => c.Evaluations,
        UpdateNodeDrain c => c.Evaluations,
        UpdateNodeEligibility c => c.Evaluations,
        ApplyPlan c => c.Evaluations,
        UpdateAllocations c => c.Evaluations,
        UpdateDesiredTransitions c => c.Evaluations,
        UpdateDeployment c => One(c.Evaluation),
        SetDeploymentHealth c => One(c.Evaluation),
        _ => [],
    };

    private static IEnumerable<Evaluation> One(Evaluation? evaluation) => evaluation is null ? [] : [evaluation];
}
