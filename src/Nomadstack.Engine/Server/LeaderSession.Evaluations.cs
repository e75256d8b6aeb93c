// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>Evaluations: workers make plans of them, and one plan after another is checked and written.</summary>
internal sealed partial class LeaderSession
{
    private const int Workers = 2;

    private async Task WorkAsync(CancellationToken stop)
    {
        while (true)
        {
            var next = _work.Next;
            Delivery? delivery;
            lock (_gate) delivery = _queues.Broker.Dequeue(JobType.All, Now);
            if (delivery is null) await next.WaitAsync(stop);
            else await ProcessAsync(delivery, stop);
        }
    }

    private async Task ProcessAsync(Delivery delivery, CancellationToken stop)
    {
        var (evaluation, token) = delivery;
        var (ready, due) = (false, false);
        try
        {
            // Whatever the evaluation was made for is applied here: it came to the queues with the command that created it.
            var run = new SchedulerRun((plan, cancel) => SubmitAsync(plan, token, cancel), (_, _) => Task.FromResult(_state.Current), NewId, Random.Shared, _time);
            var outcome = await run.ProcessAsync(evaluation, _state.Current, stop);
            if (outcome.Evaluations.Count > 0) await _writer.ApplyAsync(new UpsertEvaluations(outcome.Evaluations), stop);
            lock (_gate)
            {
                if (outcome.Reblock is { } blocked) _queues.Reblock(blocked, token, Now);
                _queues.Broker.Ack(evaluation.ID, token, Now);
                (ready, due) = (_queues.Broker.ReadyCount > 0, IsDueSooner() || _queues.Blocked.HasDuplicates);
            }
        }
        catch (ServerException e)
        {
            _log.LogInformation("Evaluation {Evaluation} of {Job} will be processed again: {Reason}", evaluation.ID, evaluation.JobID, e.Message);
            lock (_gate) _queues.Broker.Nack(evaluation.ID, token, Now);
            due = true;
        }

        if (ready) _work.Raise();
        if (due) _times.Raise();
    }

    /// <summary>One plan at a time, each checked against the state that the one before has left.</summary>
    private async Task<PlanResult> SubmitAsync(Plan plan, string token, CancellationToken stop)
    {
        await _plans.WaitAsync(stop);
        try
        {
            lock (_gate)
            {
                if (!_queues.Broker.Extend(plan.EvalID, token, Now)) throw ServerException.Failed("evaluation token does not match");
            }

            var result = PlanCheck.Evaluate(plan, _state.Current);
            if (result.MadeProgress) await _writer.ApplyAsync(PlanCheck.ToCommand(result.Committed, Now), stop);
            return result;
        }
        finally
        {
            _plans.Release();
        }
    }
}
