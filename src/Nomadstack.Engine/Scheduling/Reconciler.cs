// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>
/// Compares a service or batch job with its allocations. The rules are those of Nomad's reconciler, less canaries: what is lost or failed is replaced,
/// what is too much stops, what changed is replaced a few at a time, and nothing else is touched.
/// </summary>
/// <param name="job">Null when it was purged.</param>
/// <param name="deployment">The job's latest.</param>
/// <param name="tainted">Nodes of its allocations that are down (null: gone) or draining.</param>
/// <param name="changeOf">What the current version means for one of its allocations.</param>
/// <param name="newId">Mints ids for the deployment and follow-up evaluations.</param>
internal sealed partial class Reconciler(Job? job, Evaluation evaluation, Deployment? deployment, IReadOnlyDictionary<string, Node?> tainted, Func<Allocation, TaskGroup, VersionChange> changeOf, Func<string> newId, DateTimeOffset now)
{
    // Failures close to each other share an evaluation.
    private static readonly TimeSpan FollowUpBatch = TimeSpan.FromSeconds(5);

    // Clocks of servers differ a little; nobody waits for that.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(1);

    private readonly Reconciliation _result = new();
    private Deployment? _before = deployment;
    private Deployment? _deployment;

    private bool Batch => evaluation.Type == JobType.Batch;

    private bool Paused => _deployment?.Status == DeploymentStatus.Paused;

    private bool Failed => _deployment?.Status == DeploymentStatus.Failed;

    public Reconciliation Compute(IReadOnlyList<Allocation> existing)
    {
        _deployment = _before;
        EndUnneededDeployment();
        var groups = existing.Select(a => a.TaskGroup).Union(job?.TaskGroups.Select(g => g.Name) ?? []).Order(StringComparer.Ordinal).ToList();
        var complete = true;
        foreach (var name in groups)
        {
            var all = existing.Where(a => a.TaskGroup == name).OrderBy(a => a.Number).ThenBy(a => a.ID, StringComparer.Ordinal).ToList();
            if (job is null || job.Stop || job.Group(name) is not { } group) StopAll(name, all);
            else complete &= ComputeGroup(group, all);
        }

        if (_deployment is { Active: true } && complete && job is { Stop: false })
            _result.DeploymentUpdates.Add(new(_deployment.ID, DeploymentStatus.Successful, DeploymentStatus.DescriptionSuccessful));
        if (_deployment != _before) _result.Deployment = _deployment;
        return _result;
    }

    private void EndUnneededDeployment()
    {
        if (_deployment is null) return;
        var stopped = job is null || job.Stop;
        var outdated = !stopped && (_deployment.JobCreateIndex != job!.CreateIndex || _deployment.JobVersion != job.Version);
        if ((stopped || outdated) && _deployment.Active)
            _result.DeploymentUpdates.Add(new(_deployment.ID, DeploymentStatus.Cancelled, stopped ? DeploymentStatus.DescriptionStoppedJob : DeploymentStatus.DescriptionNewerJob));
        if (stopped || outdated || _deployment.Status is DeploymentStatus.Successful) _deployment = _before = null;
    }

    private void StopAll(string group, List<Allocation> all)
    {
        var running = all.Where(a => !a.Terminal).ToList();
        foreach (var allocation in running) StopOrLose(allocation, StopReason.NotNeeded);
        _result.Desired[group] = new DesiredUpdates { Stop = running.Count };
    }

    private void StopOrLose(Allocation allocation, string description)
    {
        if (IsLost(allocation)) _result.Stop.Add(new(allocation, StopReason.Lost, ClientStatus.Lost));
        else _result.Stop.Add(new(allocation, description));
    }

    private static bool MustMigrate(Allocation allocation) => !allocation.Terminal && allocation.DesiredTransition.Migrate == true;

    private bool IsLost(Allocation allocation) => !allocation.Terminal && !MustMigrate(allocation) && tainted.TryGetValue(allocation.NodeID, out var node) && (node is null || node.IsDown);
}
