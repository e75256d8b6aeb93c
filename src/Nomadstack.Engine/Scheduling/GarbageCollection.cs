// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>How long what is over is kept for people to look at; Nomad's defaults.</summary>
internal sealed record GarbageThresholds
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    public TimeSpan Evaluations { get; init; } = TimeSpan.FromHours(1);
    public TimeSpan Jobs { get; init; } = TimeSpan.FromHours(4);
    public TimeSpan Nodes { get; init; } = TimeSpan.FromHours(24);
    public TimeSpan Deployments { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>
/// Finds what is over for good. An allocation stays while its client runs it, and while its failure still counts for a reschedule policy;
/// what a live batch job has done stays, or it would be done again.
/// </summary>
internal static class GarbageCollection
{
    /// <param name="indexAt">The log's index at a time: what changed later is too young.</param>
    public static Reap Collect(StateSnapshot state, GarbageThresholds thresholds, Func<DateTimeOffset, long> indexAt, DateTimeOffset now) => Collect(state, now,
        indexAt(now - thresholds.Evaluations), indexAt(now - thresholds.Jobs), indexAt(now - thresholds.Nodes), indexAt(now - thresholds.Deployments));

    /// <summary>Everything that is over, however young: <c>nomad system gc</c>.</summary>
    public static Reap Force(StateSnapshot state, DateTimeOffset now) => Collect(state, now, long.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue);

    /// <summary>Tokens that nobody can use any more.</summary>
    public static IReadOnlyList<string> ExpiredTokens(StateSnapshot state, DateTimeOffset now) => [.. state.AclTokens.All.Where(t => t.IsExpired(now)).Select(t => t.AccessorID)];

    public static bool IsEmpty(Reap reap) => reap.EvaluationIDs.Count + reap.AllocationIDs.Count + reap.Jobs.Count + reap.DeploymentIDs.Count + reap.NodeIDs.Count == 0;

    private static Reap Collect(StateSnapshot state, DateTimeOffset now, long evaluationLimit, long jobLimit, long nodeLimit, long deploymentLimit)
    {
        var (evaluations, allocations, jobs) = (new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal), new List<JobKey>());
        foreach (var job in state.Jobs.All.Where(j => j.Status == JobStatus.Dead && (j.Stop || j.Type == JobType.Batch) && j.CreateIndex <= jobLimit))
        {
            // All of it, or nothing: half a job's history explains nothing.
            var ofJob = state.EvaluationsOf(job.Key).Select(e => (Evaluation: e, Verdict: Of(state, e, job, jobLimit, now, jobToo: true))).ToList();
            if (!ofJob.All(e => e.Verdict.Collect) || state.AllocationsOf(job.Key).Any(a => !a.Terminal || a.ClientStatus == ClientStatus.Running)) continue;
            jobs.Add(job.Key);
            evaluations.UnionWith(ofJob.Select(e => e.Evaluation.ID));
            allocations.UnionWith(state.AllocationsOf(job.Key).Select(a => a.ID));
        }

        foreach (var evaluation in state.Evaluations.All)
        {
            var (collect, old) = Of(state, evaluation, state.Job(evaluation.JobKey), evaluationLimit, now, jobToo: false);
            if (collect) evaluations.Add(evaluation.ID);
            allocations.UnionWith(old);
        }

        // Its evaluation may be gone long since, when the allocation itself outlived it.
        allocations.UnionWith(state.Allocations.All.Where(a => state.Evaluation(a.EvalID) is null && IsOver(a, state.Job(a.JobKey), evaluationLimit, now) && !IsWorkOf(state.Job(a.JobKey), a)).Select(a => a.ID));

        var deployments = state.Deployments.All
            .Where(d => !d.Active && d.ModifyIndex <= deploymentLimit && state.AllocationsIn(d.ID).All(a => a.Terminal || allocations.Contains(a.ID)))
            .Select(d => d.ID);
        var nodes = state.Nodes.All
            .Where(n => n.IsDown && n.ModifyIndex <= nodeLimit && state.AllocationsOn(n.ID).All(a => a.Terminal))
            .Select(n => n.ID);
        return new Reap([.. evaluations], [.. allocations], jobs, [.. deployments], [.. nodes]);
    }

    /// <summary>Whether the evaluation goes, and which of its allocations do.</summary>
    private static (bool Collect, IReadOnlyList<string> Allocations) Of(StateSnapshot state, Evaluation evaluation, Job? job, long limit, DateTimeOffset now, bool jobToo)
    {
        if (!evaluation.Terminal || evaluation.ModifyIndex > limit) return (false, []);
        var allocations = state.AllocationsFrom(evaluation.ID).ToList();
        if (evaluation.Type == JobType.Batch && job is not null && !jobToo && !(job.Stop && job.Status == JobStatus.Dead))
            return (false, [.. allocations.Where(a => a.Job.CreateIndex < job.CreateIndex && a.Terminal).Select(a => a.ID)]);
        var over = allocations.Where(a => IsOver(a, job, limit, now)).Select(a => a.ID).ToList();
        return (over.Count == allocations.Count, over);
    }

    private static bool IsWorkOf(Job? job, Allocation allocation) =>
        job is { Type: JobType.Batch } && !(job.Stop && job.Status == JobStatus.Dead) && allocation.Job.CreateIndex >= job.CreateIndex;

    private static bool IsOver(Allocation allocation, Job? job, long limit, DateTimeOffset now)
    {
        if (!allocation.Terminal || allocation.ModifyIndex > limit || allocation.ClientStatus == ClientStatus.Running) return false;
        if (job is null || job.Stop || job.Status == JobStatus.Dead) return true;
        if (allocation.DesiredStatus == DesiredStatus.Stop || allocation.ClientStatus != ClientStatus.Failed) return true;

        // A failed one is remembered until it has a successor, or its policy has forgotten it.
        if (job.Group(allocation.TaskGroup)?.ReschedulePolicy is not { } policy || !policy.Enabled() || allocation.NextAllocation.Length > 0) return true;
        if (policy.Unlimited || allocation.RescheduleTracker?.Events is not { Count: > 0 } events) return false;
        return now - UnixNanoseconds.ToTime(events[^1].RescheduleTime) > policy.Interval;
    }
}
