// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>What happens because time has passed.</summary>
internal sealed partial class LeaderSession
{
    private static readonly TimeSpan s_unblockFailedEvery = TimeSpan.FromMinutes(1);

    private async Task KeepTimeAsync(CancellationToken stop)
    {
        var unblockAt = Now + s_unblockFailedEvery;
        while (true)
        {
            var next = _times.Next;
            var now = Now;
            List<Delivery> givenUp = [];
            IReadOnlyList<string> missed;
            IReadOnlyList<Evaluation> duplicates;
            DateTimeOffset? due;
            bool ready;
            lock (_gate)
            {
                _queues.Broker.Advance(now);
                while (_queues.Broker.DequeueFailed(now) is { } failed) givenUp.Add(failed);
                if (now >= unblockAt)
                {
                    unblockAt = now + s_unblockFailedEvery;
                    foreach (var (evaluation, token) in _queues.Blocked.UnblockFailed()) _queues.Broker.Enqueue(evaluation, now, token);
                }

                duplicates = _queues.Blocked.TakeDuplicates();
                missed = _heartbeats.TakeMissed(now);
                due = _looksAt = new[] { NextDue(), unblockAt }.Min();
                ready = _queues.Broker.ReadyCount > 0;
            }

            if (ready) _work.Raise();
            foreach (var delivery in givenUp) await GiveUpAsync(delivery, stop);
            if (duplicates.Count > 0) await TryApplyAsync(new UpsertEvaluations(duplicates), stop);
            foreach (var node in missed) await MarkDownAsync(node, stop);
            await Signal.WaitAsync(next, due, _time, stop);
        }
    }

    private async Task GiveUpAsync(Delivery delivery, CancellationToken stop)
    {
        _log.LogWarning("Evaluation {Evaluation} of {Job} failed after {Times} deliveries; a new evaluation follows later", delivery.Evaluation.ID, delivery.Evaluation.JobID, EvalBroker.DeliveryLimit);
        var written = await TryApplyAsync(EvaluationQueues.GiveUp(delivery.Evaluation, NewId, Random.Shared.NextDouble(), Now), stop);
        lock (_gate)
        {
            // One that could not be written stays with us until its delivery runs out.
            if (written) _queues.Broker.Ack(delivery.Evaluation.ID, delivery.Token, Now);
        }
    }

    private async Task MarkDownAsync(string node, CancellationToken stop)
    {
        if (_state.Current.Node(node) is not { IsDown: false }) return;
        _log.LogWarning("Node {Node} missed its heartbeat", node);
        if (await TryApplyAsync(Heartbeats.MarkDown(_state.Current, node, Now, NewId), stop)) return;
        // Not forgotten: as if it had just reported.
        Beat(node);
    }

    private async Task CollectGarbageAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(GarbageThresholds.Interval, _time);
        while (await timer.WaitForNextTickAsync(stop))
        {
            var reap = GarbageCollection.Collect(_state.Current, new GarbageThresholds(), _state.IndexAt, Now);
            if (!GarbageCollection.IsEmpty(reap)) await TryApplyAsync(reap, stop);
            if (GarbageCollection.ExpiredTokens(_state.Current, Now) is { Count: > 0 } expired) await TryApplyAsync(new DeleteAcl(expired, []), stop);
        }
    }

    private async Task DrainAsync(CancellationToken stop)
    {
        while (true)
        {
            var next = _drains.Next;
            var state = _state.Current;
            var decision = Drainer.Decide(state, Now);
            var due = decision.NextDeadline;
            foreach (var command in decision.ToCommands(state, Now, NewId))
                if (!await TryApplyAsync(command, stop)) due = Now + s_retry;
            await Signal.WaitAsync(next, due, _time, stop);
        }
    }

    private async Task WatchDeploymentsAsync(CancellationToken stop)
    {
        // Up to which index each deployment's health was taken note of. A new leader starts at none, which costs one evaluation.
        var seen = new Dictionary<string, long>(StringComparer.Ordinal);
        while (true)
        {
            var next = _deployments.Next;
            var state = _state.Current;
            var active = state.Deployments.All.Where(d => d.Active).ToList();
            foreach (var gone in seen.Keys.Except(active.Select(d => d.ID)).ToList()) seen.Remove(gone);
            DateTimeOffset? due = null;
            foreach (var deployment in active)
            {
                var step = DeploymentWatch.Decide(state, deployment, seen.GetValueOrDefault(deployment.ID), Now);
                if (step is DeploymentStep.Wait { NextDeadline: { } deadline } && (due is null || deadline < due)) due = deadline;
                if (DeploymentWatch.ToCommand(step, state, deployment, Now, NewId) is not { } command) continue;
                if (await TryApplyAsync(command, stop)) seen[deployment.ID] = state.Index;
                else due = Now + s_retry;
            }

            await Signal.WaitAsync(next, due, _time, stop);
        }
    }
}
