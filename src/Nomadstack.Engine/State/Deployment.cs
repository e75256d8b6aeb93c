// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal static class DeploymentStatus
{
    public const string Running = "running";
    public const string Paused = "paused";
    public const string Failed = "failed";
    public const string Successful = "successful";
    public const string Cancelled = "cancelled";

    public const string DescriptionRunning = "Deployment is running";
    public const string DescriptionSuccessful = "Deployment completed successfully";
    public const string DescriptionStoppedJob = "Cancelled because job is stopped";
    public const string DescriptionNewerJob = "Cancelled due to newer version of job";
    public const string DescriptionFailedAllocations = "Failed due to unhealthy allocations";
    public const string DescriptionProgressDeadline = "Failed due to progress deadline";
    public const string DescriptionFailedByUser = "Deployment marked as failed";
}

/// <summary>How far one version of a job has got, allocation by healthy allocation.</summary>
internal sealed record Deployment
{
    public required string ID { get; init; }
    public string Namespace { get; init; } = "default";
    public string JobID { get; init; } = "";
    public long JobVersion { get; init; }
    public long JobModifyIndex { get; init; }
    public long JobSpecModifyIndex { get; init; }
    public long JobCreateIndex { get; init; }
    public bool IsMultiregion { get; }
    public IReadOnlyDictionary<string, DeploymentState> TaskGroups { get; init; } = new Dictionary<string, DeploymentState>();
    public string Status { get; init; } = "";
    public string StatusDescription { get; init; } = "";
    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    [JsonIgnore]
    public JobKey JobKey => new(Namespace, JobID);

    [JsonIgnore]
    public bool Active => Status is DeploymentStatus.Running or DeploymentStatus.Paused;

    public static Deployment For(Job job, string id) => new()
    {
        ID = id,
        Namespace = job.Namespace,
        JobID = job.ID,
        JobVersion = job.Version,
        JobModifyIndex = job.ModifyIndex,
        JobSpecModifyIndex = job.JobModifyIndex,
        JobCreateIndex = job.CreateIndex,
        Status = DeploymentStatus.Running,
        StatusDescription = DeploymentStatus.DescriptionRunning,
    };

    public Deployment With(string group, DeploymentState state) => this with { TaskGroups = new SortedDictionary<string, DeploymentState>(TaskGroups.ToDictionary(), StringComparer.Ordinal) { [group] = state } };
}

internal sealed record DeploymentState
{
    public bool AutoRevert { get; }
    public bool AutoPromote { get; }
    public TimeSpan ProgressDeadline { get; init; }

    /// <summary>Fails when nothing more became healthy by then.</summary>
    public DateTimeOffset RequireProgressBy { get; init; }

    public bool Promoted { get; }
    public IReadOnlyList<string>? PlacedCanaries { get; }
    public int DesiredCanaries { get; }
    public int DesiredTotal { get; init; }
    public int PlacedAllocs { get; init; }
    public int HealthyAllocs { get; init; }
    public int UnhealthyAllocs { get; init; }
}

internal sealed record DeploymentStatusUpdate(string DeploymentID, string Status, string StatusDescription);
