// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal static class EvalStatus
{
    public const string Blocked = "blocked";
    public const string Pending = "pending";
    public const string Complete = "complete";
    public const string Failed = "failed";
    public const string Canceled = "canceled";
}

internal static class EvalTrigger
{
    public const string JobRegister = "job-register";
    public const string JobDeregister = "job-deregister";
    public const string NodeDrain = "node-drain";
    public const string NodeUpdate = "node-update";
    public const string AllocStop = "alloc-stop";
    public const string RollingUpdate = "rolling-update";
    public const string DeploymentWatcher = "deployment-watcher";
    public const string FailedFollowUp = "failed-follow-up";
    public const string MaxPlanAttempts = "max-plan-attempts";
    public const string AllocFailure = "alloc-failure";
    public const string QueuedAllocs = "queued-allocs";
    public const string JobScaling = "job-scaling";

    public static readonly IReadOnlySet<string> All = new HashSet<string>(StringComparer.Ordinal)
    {
        JobRegister, JobDeregister, NodeDrain, NodeUpdate, AllocStop, RollingUpdate, DeploymentWatcher, FailedFollowUp, MaxPlanAttempts, AllocFailure, QueuedAllocs, JobScaling,
    };
}

/// <summary>A reason to look at one job again, and what came of it.</summary>
internal sealed record Evaluation
{
    public required string ID { get; init; }
    public string Namespace { get; init; } = "default";
    public int Priority { get; init; }

    /// <summary>The scheduler that can process it.</summary>
    public string Type { get; init; } = "";

    public string TriggeredBy { get; init; } = "";
    public string JobID { get; init; } = "";
    public long JobModifyIndex { get; init; }
    public string NodeID { get; init; } = "";
    public long NodeModifyIndex { get; init; }
    public string DeploymentID { get; init; } = "";
    public string Status { get; init; } = "";
    public string StatusDescription { get; init; } = "";

    /// <summary>How long to wait once it is queued.</summary>
    public TimeSpan Wait { get; init; }

    /// <summary>Not before this time.</summary>
    public DateTimeOffset? WaitUntil { get; init; }

    public string NextEval { get; init; } = "";
    public string PreviousEval { get; init; } = "";

    /// <summary>The evaluation that waits for capacity on this one's behalf.</summary>
    public string BlockedEval { get; init; } = "";

    /// <summary>By group: why the rest could not be placed.</summary>
    public IReadOnlyDictionary<string, AllocMetric>? FailedTGAllocs { get; init; }

    public IReadOnlyDictionary<string, int>? QueuedAllocations { get; init; }

    /// <summary>The state it was processed with.</summary>
    public long SnapshotIndex { get; init; }

    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }
    public long CreateTime { get; init; }
    public long ModifyTime { get; init; }

    [JsonIgnore]
    public JobKey JobKey => new(Namespace, JobID);

    [JsonIgnore]
    public bool Terminal => Status is EvalStatus.Complete or EvalStatus.Failed or EvalStatus.Canceled;

    public static Evaluation For(Job job, string trigger, string id, DateTimeOffset now) =>
        Pending(job.Key, job.Priority, job.Type, job.JobModifyIndex, trigger, id, now);

    /// <summary>An evaluation that goes on where this one ends.</summary>
    public Evaluation Follow(string trigger, string id, DateTimeOffset now) =>
        Pending(JobKey, Priority, Type, JobModifyIndex, trigger, id, now) with { PreviousEval = ID };

    private static Evaluation Pending(JobKey job, int priority, string type, long jobModifyIndex, string trigger, string id, DateTimeOffset now) => new()
    {
        ID = id,
        Namespace = job.Namespace,
        Priority = priority,
        Type = type,
        TriggeredBy = trigger,
        JobID = job.ID,
        JobModifyIndex = jobModifyIndex,
        Status = EvalStatus.Pending,
        CreateTime = UnixNanoseconds.Of(now),
        ModifyTime = UnixNanoseconds.Of(now),
    };
}
