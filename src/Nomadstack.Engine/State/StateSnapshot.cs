// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

/// <summary>Everything the cluster has agreed on, as of one index. Never changes; readers keep it as long as they like.</summary>
internal sealed record StateSnapshot
{
    private const int ByJob = 0;
    private const int ByNode = 1;
    private const int ByEval = 2;
    private const int ByDeployment = 3;
    private const int BySecret = 0;

    public static readonly StateSnapshot Empty = new();

    /// <summary>The last log entry in it, whether it changed anything or not.</summary>
    public long Index { get; init; }

    public Table<Node> Nodes { get; init; } = new(n => n.ID);
    public Table<Job> Jobs { get; init; } = new(j => j.Key.ToString());
    public Table<Job> JobVersions { get; init; } = new(VersionKey, j => j.Key.ToString());
    public Table<JobSummary> JobSummaries { get; init; } = new(s => new JobKey(s.Namespace, s.JobID).ToString());
    public Table<Evaluation> Evaluations { get; init; } = new(e => e.ID, e => e.JobKey.ToString());
    public Table<Allocation> Allocations { get; init; } = new(a => a.ID, a => a.JobKey.ToString(), a => a.NodeID, a => a.EvalID, a => a.DeploymentID);
    public Table<Deployment> Deployments { get; init; } = new(d => d.ID, d => d.JobKey.ToString());

    public Table<AclToken> AclTokens { get; init; } = new(t => t.AccessorID, t => t.SecretID);
    public Table<AclPolicy> AclPolicies { get; init; } = new(p => p.Name);

    /// <summary>When the first management token was made; 0 before.</summary>
    public long AclBootstrapIndex { get; init; }

    /// <summary>Operators' settings, kept as they were sent; null before the first.</summary>
    public StoredSetting? SchedulerConfiguration { get; init; }

    public StoredSetting? AutopilotConfiguration { get; init; }

    public Node? Node(string id) => Nodes.Get(id);

    public Job? Job(JobKey key) => Jobs.Get(key.ToString());

    /// <summary>The newest first.</summary>
    public IReadOnlyList<Job> VersionsOf(JobKey key) => [.. JobVersions.By(ByJob, key.ToString()).OrderByDescending(j => j.Version)];

    public JobSummary? SummaryOf(JobKey key) => JobSummaries.Get(key.ToString());

    public Evaluation? Evaluation(string id) => Evaluations.Get(id);

    public IEnumerable<Evaluation> EvaluationsOf(JobKey key) => Evaluations.By(ByJob, key.ToString());

    public Allocation? Allocation(string id) => Allocations.Get(id);

    public IEnumerable<Allocation> AllocationsOf(JobKey key) => Allocations.By(ByJob, key.ToString());

    public IEnumerable<Allocation> AllocationsOn(string nodeId) => Allocations.By(ByNode, nodeId);

    public IEnumerable<Allocation> AllocationsFrom(string evalId) => Allocations.By(ByEval, evalId);

    public IEnumerable<Allocation> AllocationsIn(string deploymentId) => Allocations.By(ByDeployment, deploymentId);

    public Deployment? Deployment(string id) => Deployments.Get(id);

    public IEnumerable<Deployment> DeploymentsOf(JobKey key) => Deployments.By(ByJob, key.ToString());

    public Deployment? LatestDeploymentOf(JobKey key) => DeploymentsOf(key).MaxBy(d => d.CreateIndex);

    public AclToken? TokenOf(string secret) => AclTokens.By(BySecret, secret).FirstOrDefault();

    public static string VersionKey(Job job) => $"{job.Key}@{job.Version}";
}

/// <summary>A setting whose content is for others to read.</summary>
internal sealed record StoredSetting(JsonElement Value, long CreateIndex, long ModifyIndex);
