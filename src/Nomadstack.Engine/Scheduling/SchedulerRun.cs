// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What came of an evaluation, to be written to the state.</summary>
/// <param name="Evaluations">The evaluation itself in its new status, and those that go on for it.</param>
/// <param name="Reblock">It waited for capacity and still does: its new form goes back among the blocked, and not into the state.</param>
internal sealed record SchedulerOutcome(IReadOnlyList<Evaluation> Evaluations, Evaluation? Reblock = null);

/// <summary>
/// Processes one evaluation: makes a plan, hands it in, and tries again from a newer state when parts of it were rejected. As long as something of
/// a plan is accepted the tries do not count.
/// </summary>
/// <param name="submit">Gives a plan to the leader.</param>
/// <param name="stateAt">A state of at least that index.</param>
internal sealed class SchedulerRun(Func<Plan, CancellationToken, Task<PlanResult>> submit, Func<long, CancellationToken, Task<StateSnapshot>> stateAt, Func<string> newId, Random random, TimeProvider time)
{
    private const int ServiceAttempts = 5;
    private const int BatchAttempts = 2;
    private const int SystemAttempts = 5;

    public async Task<SchedulerOutcome> ProcessAsync(Evaluation evaluation, StateSnapshot state, CancellationToken cancel)
    {
        if (!EvalTrigger.All.Contains(evaluation.TriggeredBy))
            return new([Ended(evaluation, state, EvalStatus.Failed, null) with { StatusDescription = $"scheduler cannot handle '{evaluation.TriggeredBy}' evaluation reason" }]);

        var left = AttemptsOf(evaluation.Type);
        SchedulingAttempt? attempt = null;
        while (left > 0)
        {
            attempt = Attempt(new SchedulingInput(state, evaluation, time.GetUtcNow(), newId, random));
            if (attempt.Plan.IsNoOp) return Settled(evaluation, state, attempt, attempt.Queued);
            var result = await submit(attempt.Plan, cancel);
            if (result.RefreshIndex == 0 && !attempt.More) return Settled(evaluation, state, attempt, Remaining(attempt, result));
            left = result.MadeProgress ? AttemptsOf(evaluation.Type) : left - 1;
            state = await stateAt(Math.Max(result.RefreshIndex, state.Index + 1), cancel);
        }

        // Others were always faster. Somebody looks again when they are done.
        var blocked = Blocked(evaluation, attempt!, state) with { TriggeredBy = EvalTrigger.MaxPlanAttempts, StatusDescription = "created due to placement conflicts" };
        var failed = Ended(evaluation, state, EvalStatus.Failed, attempt) with { StatusDescription = $"maximum attempts reached ({AttemptsOf(evaluation.Type)})", BlockedEval = blocked.ID };
        return new([failed, blocked]);
    }

    /// <summary>One look at the job, nothing handed in: what <c>job plan</c> asks for.</summary>
    public static SchedulingAttempt Attempt(SchedulingInput input) =>
        input.Evaluation.Type == JobType.System ? SystemScheduler.Attempt(input) : GenericScheduler.Attempt(input);

    private SchedulerOutcome Settled(Evaluation evaluation, StateSnapshot state, SchedulingAttempt attempt, IReadOnlyDictionary<string, int> queued)
    {
        var ended = Ended(evaluation, state, EvalStatus.Complete, attempt) with { QueuedAllocations = queued };
        if (attempt.Failed.Count > 0 && evaluation.Status == EvalStatus.Blocked)
            return new([], ended with { Status = EvalStatus.Blocked });

        var evaluations = new List<Evaluation>();
        if (attempt.Failed.Count > 0)
        {
            var blocked = Blocked(evaluation, attempt, state) with { StatusDescription = "created to place remaining allocations" };
            ended = ended with { BlockedEval = blocked.ID };
            evaluations.Add(blocked);
        }

        if (attempt.NextEvaluation is { } next)
        {
            ended = ended with { NextEval = next.ID };
            evaluations.Add(next);
        }

        return new([ended, .. evaluations]);
    }

    private Evaluation Ended(Evaluation evaluation, StateSnapshot state, string status, SchedulingAttempt? attempt) => evaluation with
    {
        Status = status,
        StatusDescription = "",
        FailedTGAllocs = attempt is { Failed.Count: > 0 } ? attempt.Failed : null,
        QueuedAllocations = attempt?.Queued,
        DeploymentID = attempt is { DeploymentID.Length: > 0 } ? attempt.DeploymentID : evaluation.DeploymentID,
        SnapshotIndex = state.Index,
        ModifyTime = Math.Max(UnixNanoseconds.Of(time.GetUtcNow()), evaluation.CreateTime + 1),
    };

    private Evaluation Blocked(Evaluation evaluation, SchedulingAttempt attempt, StateSnapshot state) => evaluation.Follow(EvalTrigger.QueuedAllocs, newId(), time.GetUtcNow()) with
    {
        Status = EvalStatus.Blocked,
        FailedTGAllocs = attempt.Failed,
        SnapshotIndex = state.Index,
    };

    /// <summary>What is still wanted after the plan has counted.</summary>
    private static SortedDictionary<string, int> Remaining(SchedulingAttempt attempt, PlanResult result)
    {
        var remaining = new SortedDictionary<string, int>(attempt.Queued.ToDictionary(), StringComparer.Ordinal);
        foreach (var placed in result.Committed.NodeAllocation.Values.SelectMany(a => a).Where(a => a.CreateIndex == 0))
            if (remaining.TryGetValue(placed.TaskGroup, out var number)) remaining[placed.TaskGroup] = Math.Max(0, number - 1);
        return remaining;
    }

    private static int AttemptsOf(string type) => type switch
    {
        JobType.Batch => BatchAttempts,
        JobType.System => SystemAttempts,
        _ => ServiceAttempts,
    };
}
