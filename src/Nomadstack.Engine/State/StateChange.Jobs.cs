// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private const int KeptVersions = 6;

    private string? Register(RegisterJob command)
    {
        var existing = _state.Job(command.Job.Key);
        if (command.EnforceIndex is { } enforced && Clash(enforced, existing) is { } clash) return $"Enforcing job modify index {enforced}: {clash}";
        // The same job again is no new version.
        if (existing is null || SpecificationChanged(existing, command.Job)) UpsertJob(command.Job);
        return Upsert(command.Evaluation is { } evaluation ? evaluation with { JobModifyIndex = _state.Job(command.Job.Key)!.JobModifyIndex } : null);
    }

    private string? Deregister(DeregisterJob command)
    {
        if (_state.Job(command.Key) is { } job)
        {
            if (command.Purge) Forget(command.Key);
            else if (!job.Stop) UpsertJob(job with { Stop = true });
        }

        // Its allocations are stopped by the evaluation, which comes even when the job itself is gone.
        return Upsert(command.Evaluation is { } evaluation ? evaluation with { JobModifyIndex = _index } : null);
    }

    private string? SetStability(JobKey key, long version, bool stable)
    {
        if (_state.JobVersions.Get($"{key}@{version}") is not { } job || job.Stable == stable) return null;
        job = job with { Stable = stable, ModifyIndex = _index };
        _state = _state with { JobVersions = _state.JobVersions.Put(job, _index) };
        if (_state.Job(key) is { } current && current.Version == version)
            _state = _state with { Jobs = _state.Jobs.Put(current with { Stable = stable, ModifyIndex = _index }, _index) };
        return null;
    }

    private static string? Clash(long enforced, Job? existing) => (enforced, existing) switch
    {
        (0, null) => null,
        (0, _) => "job already exists",
        (_, null) => "job does not exist",
        _ => enforced == existing.JobModifyIndex ? null : $"job exists with conflicting job modify index: {existing.JobModifyIndex}",
    };

    private void UpsertJob(Job job)
    {
        var existing = _state.Job(job.Key);
        job = job with
        {
            CreateIndex = existing?.CreateIndex ?? _index,
            ModifyIndex = _index,
            JobModifyIndex = _index,
            Version = existing is null ? 0 : existing.Version + 1,
            Stable = false,
            Status = "",
        };
        job = job with { Status = StatusOf(job, evaluationsDeleted: false) };
        _state = _state with { Jobs = _state.Jobs.Put(job, _index), JobVersions = _state.JobVersions.Put(job, _index) };
        DropOldVersions(job.Key);
        AddGroupsToSummary(job);
    }

    /// <summary>Of more versions than are kept the oldest goes, but not the last that was stable: it is what one would return to.</summary>
    private void DropOldVersions(JobKey key)
    {
        var versions = _state.VersionsOf(key);
        if (versions.Count <= KeptVersions) return;
        var stable = versions.FirstOrDefault(v => v.Stable);
        var dropped = versions[^1] == stable ? versions[^2] : versions[^1];
        _state = _state with { JobVersions = _state.JobVersions.Remove(StateSnapshot.VersionKey(dropped), _index) };
    }

    private void AddGroupsToSummary(Job job)
    {
        var summary = _state.SummaryOf(job.Key) ?? new JobSummary { JobID = job.ID, Namespace = job.Namespace, CreateIndex = _index };
        foreach (var group in job.TaskGroups.Where(g => !summary.Summary.ContainsKey(g.Name))) summary = summary.With(group.Name, new TaskGroupSummary(), _index);
        if (summary != _state.SummaryOf(job.Key)) PutSummary(summary);
    }

    private void PutSummary(JobSummary summary) => _state = _state with { JobSummaries = _state.JobSummaries.Put(summary, _index) };

    private void Forget(JobKey key)
    {
        foreach (var version in _state.VersionsOf(key))
            _state = _state with { JobVersions = _state.JobVersions.Remove(StateSnapshot.VersionKey(version), _index) };
        _state = _state with { Jobs = _state.Jobs.Remove(key.ToString(), _index), JobSummaries = _state.JobSummaries.Remove(key.ToString(), _index) };
    }

    private void RefreshStatus(JobKey key, bool evaluationsDeleted = false)
    {
        if (_state.Job(key) is not { } job) return;
        var status = StatusOf(job, evaluationsDeleted);
        if (status != job.Status) _state = _state with { Jobs = _state.Jobs.Put(job with { Status = status, ModifyIndex = _index }, _index) };
    }

    /// <summary>Running while anything of it may run or be dispatched, pending while somebody is going to look at it, dead after that.</summary>
    private string StatusOf(Job job, bool evaluationsDeleted)
    {
        if (job.Type == JobType.System || job.IsParameterized) return job.Stop ? JobStatus.Dead : JobStatus.Running;
        var (any, running) = (false, false);
        foreach (var allocation in _state.AllocationsOf(job.Key))
        {
            any = true;
            running |= !allocation.Terminal;
            if (running) return JobStatus.Running;
        }

        var evaluated = false;
        foreach (var evaluation in _state.EvaluationsOf(job.Key))
        {
            evaluated = true;
            if (!evaluation.Terminal) return JobStatus.Pending;
        }

        return any || evaluated || evaluationsDeleted ? JobStatus.Dead : JobStatus.Pending;
    }

    private static bool SpecificationChanged(Job existing, Job job)
    {
        var same = job with
        {
            Status = existing.Status,
            StatusDescription = existing.StatusDescription,
            Stable = existing.Stable,
            Version = existing.Version,
            CreateIndex = existing.CreateIndex,
            ModifyIndex = existing.ModifyIndex,
            JobModifyIndex = existing.JobModifyIndex,
            SubmitTime = existing.SubmitTime,
        };
        return !JsonNode.DeepEquals(JsonSerializer.SerializeToNode(existing, JobJson.Default.Job), JsonSerializer.SerializeToNode(same, JobJson.Default.Job));
    }
}
