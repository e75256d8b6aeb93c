// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Nomad;

namespace Nomadstack.Cli.Job;

/// <summary>
/// Follows a job from its evaluation to its allocations, or to the end of its deployment where it has one.
/// While Nomad has no leader it waits, and says so.
/// </summary>
internal sealed class JobFollower(JobsApi jobs, ProgressWriter progress, TimeProvider time)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private readonly long _started = time.GetTimestamp();
    private readonly TaskFailures _failures = new();

    /// <summary>Returns when every allocation runs or is complete, and says which.</summary>
    /// <exception cref="ProblemException">Something could not be placed, or an allocation or the deployment failed.</exception>
    public async Task<string> RunningAsync(string job, string evaluationId, CancellationToken cancel)
    {
        var evaluation = await EvaluatedAsync(job, evaluationId, cancel);
        if (evaluation.Text("DeploymentID") is { Length: > 0 } deployment) return await DeployedAsync(job, deployment, cancel);
        var version = (await jobs.JobAsync(job, cancel)).Number("Version");
        return await UntilAsync(async () =>
        {
            var current = (await jobs.AllocationsAsync(job, cancel)).Items()
                .Where(a => a.Number("JobVersion") == version && a.Text("DesiredStatus") != "stop").ToList();
            ShowFailures(current);
            if (current.FirstOrDefault(a => a.Text("ClientStatus") is "failed" or "lost") is { ValueKind: JsonValueKind.Object } failed) throw Failed(job, failed);
            var pending = current.Where(a => a.Text("ClientStatus") == "pending").ToList();
            if (pending.Count > 0) return (null, $"{current.Count - pending.Count} of {current.Count} allocations run; {Describe(pending[0])}");
            return (current.Count == 0 ? "nothing to run" : string.Create(CultureInfo.InvariantCulture, $"{current.Count} {(current.Count == 1 ? "allocation" : "allocations")} running or complete"), "");
        }, job, cancel);
    }

    /// <summary>Returns when no allocation of the job runs any more.</summary>
    public async Task StoppedAsync(string job, string evaluationId, CancellationToken cancel)
    {
        if (evaluationId.Length > 0) await EvaluatedAsync(job, evaluationId, cancel);
        await UntilAsync(async () =>
        {
            var left = (await jobs.AllocationsAsync(job, cancel)).Items().Where(a => a.Text("ClientStatus") is "running" or "pending").ToList();
            return left.Count == 0 ? ("stopped", "") : (null, $"{left.Count} allocations are still stopping; {Describe(left[0])}");
        }, job, cancel);
    }

    private async Task<JsonElement> EvaluatedAsync(string job, string id, CancellationToken cancel)
    {
        var evaluation = default(JsonElement);
        await UntilAsync(async () =>
        {
            evaluation = await jobs.EvaluationAsync(id, cancel);
            return evaluation.Text("Status") is "complete" or "failed" or "canceled" ? ("evaluated", "") : (null, "the scheduler has not evaluated it yet");
        }, job, cancel);
        var failures = PlacementFailure.Explain(evaluation);
        if (failures.Count > 0)
            throw new ProblemException(JobProblems.NotPlaced(job, failures));
        if (evaluation.Text("Status") != "complete")
            throw new ProblemException(JobProblems.NotEvaluated(job, evaluation.Text("Status"), evaluation.Text("StatusDescription")));
        return evaluation;
    }

    private Task<string> DeployedAsync(string job, string id, CancellationToken cancel) => UntilAsync(async () =>
    {
        var deployment = await jobs.DeploymentAsync(id, cancel);
        var groups = deployment.Members("TaskGroups").Select(g => g.Value).ToList();
        var (healthy, desired) = (groups.Sum(g => g.Number("HealthyAllocs")), groups.Sum(g => g.Number("DesiredTotal")));
        var description = deployment.Text("StatusDescription");
        // Nomad's list of allocations does not name their deployment.
        var allocations = (await jobs.AllocationsAsync(job, cancel)).Items().Where(a => a.Number("JobVersion") == deployment.Number("JobVersion")).ToList();
        ShowFailures(allocations);
        switch (deployment.Text("Status"))
        {
            case "successful":
                return (string.Create(CultureInfo.InvariantCulture, $"{healthy} of {desired} allocations healthy"), "");
            case "failed" or "cancelled":
                var culprit = allocations.FirstOrDefault(a => a.Text("ClientStatus") == "failed");
                var cause = _failures.First.Length > 0 ? _failures.First : culprit.ValueKind == JsonValueKind.Object ? Describe(culprit) : "";
                var why = cause.Length > 0 ? $"{description}. {cause}" : description;
                throw new ProblemException(JobProblems.DeploymentFailed(job, deployment.Text("Status"), $"{healthy} of {desired}", why, Look(job, culprit)));
            case "paused" or "running" when groups.Any(g => g.Number("DesiredCanaries") > 0 && !g.True("Promoted") && g.Items("PlacedCanaries").Count() >= g.Number("DesiredCanaries") && g.Number("HealthyAllocs") >= g.Number("DesiredCanaries") && !g.True("AutoPromote")):
                return ($"canaries healthy; promote them with `nomadstack nomad deployment promote {id}`", "");
            default:
                return (null, string.Create(CultureInfo.InvariantCulture, $"{healthy} of {desired} allocations healthy"));
        }
    }, job, cancel);

    private async Task<string> UntilAsync(Func<Task<(string? Reached, string Missing)>> look, string job, CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                try
                {
                    var (reached, missing) = await look();
                    if (reached is not null) return reached;
                    progress.Waiting($"job {job}: {missing}", time.GetElapsedTime(_started));
                }
                catch (ProblemException e) when (e.Problem.Code == JobsApi.Away)
                {
                    progress.Waiting($"job {job}: {e.Problem.What} {e.Problem.Why}", time.GetElapsedTime(_started));
                }

                await Task.Delay(s_interval, time, cancel);
            }
        }
        finally
        {
            progress.Clear();
        }
    }

    /// <summary>At once, and above what is waited for: whoever sees it need not wait for the end.</summary>
    private void ShowFailures(IEnumerable<JsonElement> allocations)
    {
        foreach (var failure in _failures.Look(allocations)) progress.Failed(failure);
    }

    private ProblemException Failed(string job, JsonElement allocation) =>
        new(JobProblems.AllocationFailed(job, allocation.Text("ClientStatus"), _failures.First.Length > 0 ? _failures.First : Describe(allocation), Look(job, allocation)));

    private static string Look(string job, JsonElement allocation) =>
        allocation.ValueKind == JsonValueKind.Object
            ? $"See `nomadstack job status {job}` and `nomadstack job logs --stderr {AllocationChoice.Short(allocation.Text("ID"))}`."
            : "See the job's allocations with `nomadstack job status`.";

    /// <summary>The newest thing that happened in an allocation, from its tasks' events.</summary>
    private static string Describe(JsonElement allocation)
    {
        var newest = allocation.Members("TaskStates")
            .SelectMany(task => task.Value.Items("Events").Select(e => (Task: task.Name, Event: e)))
            .OrderBy(e => e.Event.Number("Time")).LastOrDefault();
        return newest.Task is null ? $"{TaskFailures.Where(allocation)} has not started yet" : TaskFailures.Describe(allocation, newest.Task, newest.Event);
    }
}
