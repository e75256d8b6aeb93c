// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

/// <summary>A snapshot on disk. Allocations share the jobs they were placed for, each written once.</summary>
internal sealed record StoredState
{
    public const int Layout = 1;

    /// <summary>Of a state with tokens and policies: whoever does not know them must not read it, or everything would be open.</summary>
    public const int LayoutWithAcl = 2;

    public int Schema { get; init; }
    public long Index { get; init; }
    public required IReadOnlyDictionary<string, long> TableIndexes { get; init; }
    public required IReadOnlyList<Node> Nodes { get; init; }
    public required IReadOnlyList<Job> Jobs { get; init; }
    public required IReadOnlyList<Job> JobVersions { get; init; }
    public required IReadOnlyList<JobSummary> JobSummaries { get; init; }
    public required IReadOnlyList<Evaluation> Evaluations { get; init; }

    /// <summary>Jobs of allocations, by position.</summary>
    public required IReadOnlyList<Job> PlacedJobs { get; init; }

    public required IReadOnlyList<StoredAllocation> Allocations { get; init; }
    public required IReadOnlyList<Deployment> Deployments { get; init; }
    public StoredSetting? SchedulerConfiguration { get; init; }
    public StoredSetting? AutopilotConfiguration { get; init; }
    public IReadOnlyList<AclToken>? AclTokens { get; init; }
    public IReadOnlyList<AclPolicy>? AclPolicies { get; init; }
    public long AclBootstrapIndex { get; init; }

    public static StoredState Of(StateSnapshot state)
    {
        var jobs = new Dictionary<(JobKey, long, long), int>();
        var placed = new List<Job>();
        var allocations = new List<StoredAllocation>();
        foreach (var allocation in state.Allocations.All)
        {
            var key = (allocation.Job.Key, allocation.Job.CreateIndex, allocation.Job.JobModifyIndex);
            if (!jobs.TryGetValue(key, out var position))
            {
                jobs[key] = position = placed.Count;
                placed.Add(allocation.Job);
            }

            allocations.Add(new StoredAllocation(position, allocation with { Job = null! }));
        }

        return new StoredState
        {
            Schema = state.AclBootstrapIndex + state.AclTokens.Index + state.AclPolicies.Index > 0 ? LayoutWithAcl : Layout,
            Index = state.Index,
            TableIndexes = new Dictionary<string, long>
            {
                [nameof(Nodes)] = state.Nodes.Index,
                [nameof(Jobs)] = state.Jobs.Index,
                [nameof(JobVersions)] = state.JobVersions.Index,
                [nameof(JobSummaries)] = state.JobSummaries.Index,
                [nameof(Evaluations)] = state.Evaluations.Index,
                [nameof(Allocations)] = state.Allocations.Index,
                [nameof(Deployments)] = state.Deployments.Index,
                [nameof(AclTokens)] = state.AclTokens.Index,
                [nameof(AclPolicies)] = state.AclPolicies.Index,
            },
            Nodes = [.. state.Nodes.All],
            Jobs = [.. state.Jobs.All],
            JobVersions = [.. state.JobVersions.All],
            JobSummaries = [.. state.JobSummaries.All],
            Evaluations = [.. state.Evaluations.All],
            PlacedJobs = placed,
            Allocations = allocations,
            Deployments = [.. state.Deployments.All],
            SchedulerConfiguration = state.SchedulerConfiguration,
            AutopilotConfiguration = state.AutopilotConfiguration,
            AclTokens = [.. state.AclTokens.All],
            AclPolicies = [.. state.AclPolicies.All],
            AclBootstrapIndex = state.AclBootstrapIndex,
        };
    }

    /// <exception cref="JsonException">Written in another layout, or damaged.</exception>
    public StateSnapshot ToSnapshot()
    {
        if (Schema is not (Layout or LayoutWithAcl)) throw new JsonException($"the snapshot has layout {Schema}; this version reads {Layout} and {LayoutWithAcl}");
        if (Allocations.Any(a => a.PlacedJob < 0 || a.PlacedJob >= PlacedJobs.Count)) throw new JsonException("the snapshot lacks the job of an allocation");
        var empty = StateSnapshot.Empty;
        return empty with
        {
            Index = Index,
            Nodes = Filled(empty.Nodes, Nodes, nameof(Nodes)),
            Jobs = Filled(empty.Jobs, Jobs, nameof(Jobs)),
            JobVersions = Filled(empty.JobVersions, JobVersions, nameof(JobVersions)),
            JobSummaries = Filled(empty.JobSummaries, JobSummaries, nameof(JobSummaries)),
            Evaluations = Filled(empty.Evaluations, Evaluations, nameof(Evaluations)),
            Allocations = Filled(empty.Allocations, Allocations.Select(a => a.Allocation with { Job = PlacedJobs[a.PlacedJob] }), nameof(Allocations)),
            Deployments = Filled(empty.Deployments, Deployments, nameof(Deployments)),
            SchedulerConfiguration = SchedulerConfiguration,
            AutopilotConfiguration = AutopilotConfiguration,
            AclTokens = Filled(empty.AclTokens, AclTokens ?? [], nameof(AclTokens)),
            AclPolicies = Filled(empty.AclPolicies, AclPolicies ?? [], nameof(AclPolicies)),
            AclBootstrapIndex = AclBootstrapIndex,
        };
    }

    private Table<T> Filled<T>(Table<T> table, IEnumerable<T> rows, string name)
        where T : class => rows.Aggregate(table, (filled, row) => filled.Put(row, 0)).At(TableIndexes.GetValueOrDefault(name));
}

internal sealed record StoredAllocation(int PlacedJob, Allocation Allocation);
