// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal static class DesiredStatus
{
    public const string Run = "run";
    public const string Stop = "stop";
    public const string Evict = "evict";
}

internal static class ClientStatus
{
    public const string Pending = "pending";
    public const string Running = "running";
    public const string Complete = "complete";
    public const string Failed = "failed";
    public const string Lost = "lost";
}

/// <summary>One instance of a group, placed on a node.</summary>
internal sealed record Allocation
{
    public required string ID { get; init; }
    public string Namespace { get; init; } = "default";
    public string EvalID { get; init; } = "";

    /// <summary><c>job.group[number]</c>; a replacement takes over its predecessor's.</summary>
    public string Name { get; init; } = "";

    public string NodeID { get; init; } = "";
    public string NodeName { get; init; } = "";
    public string JobID { get; init; } = "";

    /// <summary>The version it was placed for. Absent only inside a command, which carries the job once; the store attaches it.</summary>
    public Job Job { get; init; } = null!;

    public string TaskGroup { get; init; } = "";
    public AllocatedResources AllocatedResources { get; init; } = new();
    public AllocMetric? Metrics { get; init; }

    /// <summary>What the servers want.</summary>
    public string DesiredStatus { get; init; } = "";

    public string DesiredDescription { get; init; } = "";
    public DesiredTransition DesiredTransition { get; init; } = new();

    /// <summary>What its client says it is.</summary>
    public string ClientStatus { get; init; } = "";

    public string ClientDescription { get; init; } = "";
    public IReadOnlyDictionary<string, TaskState>? TaskStates { get; init; }
    public string PreviousAllocation { get; init; } = "";
    public string NextAllocation { get; init; } = "";
    public string DeploymentID { get; init; } = "";
    public AllocDeploymentStatus? DeploymentStatus { get; init; }
    public RescheduleTracker? RescheduleTracker { get; init; }

    /// <summary>The evaluation that will reschedule it when its delay is over.</summary>
    public string FollowupEvalID { get; init; } = "";

    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    /// <summary>Moves only when a server changes the allocation: what its client has to fetch.</summary>
    public long AllocModifyIndex { get; init; }

    /// <summary>Nanoseconds since 1970.</summary>
    public long CreateTime { get; init; }

    public long ModifyTime { get; init; }

    [JsonIgnore]
    public JobKey JobKey => new(Namespace, JobID);

    [JsonIgnore]
    public bool ServerTerminal => DesiredStatus is State.DesiredStatus.Stop or State.DesiredStatus.Evict;

    [JsonIgnore]
    public bool ClientTerminal => ClientStatus is State.ClientStatus.Complete or State.ClientStatus.Failed or State.ClientStatus.Lost;

    /// <summary>Will not change its course any more.</summary>
    [JsonIgnore]
    public bool Terminal => ServerTerminal || ClientTerminal;

    /// <summary>The number in its name.</summary>
    [JsonIgnore]
    public int Number
    {
        get
        {
            var open = Name.LastIndexOf('[');
            return open >= 0 && Name.EndsWith(']') && int.TryParse(Name.AsSpan(open + 1, Name.Length - open - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        }
    }

    /// <summary>The group as it was when this was placed.</summary>
    [JsonIgnore]
    public TaskGroup? Group => Job.Group(TaskGroup);

    /// <summary>Every task ended well. An allocation that never started has not.</summary>
    [JsonIgnore]
    public bool RanSuccessfully => TaskStates is { Count: > 0 } states && states.Values.All(s => s is { State: TaskState.Dead, Failed: false });

    /// <summary>When the last task ended; the last change where no task ever ran.</summary>
    [JsonIgnore]
    public DateTimeOffset LastEventTime => TaskStates?.Values.Max(s => s.FinishedAt) ?? UnixNanoseconds.ToTime(ModifyTime);

    public static string NameOf(string job, string group, int number) => $"{job}.{group}[{number.ToString(CultureInfo.InvariantCulture)}]";
}

internal sealed record AllocatedResources
{
    public IReadOnlyDictionary<string, AllocatedTaskResources> Tasks { get; init; } = new Dictionary<string, AllocatedTaskResources>();
    public AllocatedSharedResources Shared { get; init; } = new();
}

internal sealed record AllocatedTaskResources
{
    public AllocatedCpu Cpu { get; init; } = new();
    public AllocatedMemory Memory { get; init; } = new();
    public IReadOnlyList<NetworkResource>? Networks { get; init; }
}

internal sealed record AllocatedCpu
{
    public long CpuShares { get; init; }
}

internal sealed record AllocatedMemory
{
    public long MemoryMB { get; init; }
    public long MemoryMaxMB { get; init; }
}

internal sealed record AllocatedSharedResources
{
    public long DiskMB { get; init; }
    public IReadOnlyList<NetworkResource>? Networks { get; init; }
    public IReadOnlyList<AllocatedPort>? Ports { get; init; }
}

internal sealed record AllocatedPort(string Label, int Value, int To, string HostIP);

/// <summary>What somebody wants to happen to an allocation beside its desired status; null for nothing.</summary>
internal sealed record DesiredTransition
{
    public bool? Migrate { get; init; }
    public bool? Reschedule { get; init; }
    public bool? ForceReschedule { get; init; }

    public DesiredTransition Merge(DesiredTransition other) => new()
    {
        Migrate = other.Migrate ?? Migrate,
        Reschedule = other.Reschedule ?? Reschedule,
        ForceReschedule = other.ForceReschedule ?? ForceReschedule,
    };
}

internal sealed record TaskState
{
    public const string Pending = "pending";
    public const string Running = "running";
    public const string Dead = "dead";

    public string State { get; init; } = "";
    public bool Failed { get; init; }
    public long Restarts { get; init; }
    public DateTimeOffset? LastRestart { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public IReadOnlyList<TaskEvent>? Events { get; init; }
}

/// <param name="Time">Nanoseconds since 1970.</param>
internal sealed record TaskEvent(string Type, long Time, string DisplayMessage)
{
    public IReadOnlyDictionary<string, string>? Details { get; init; }
    public string Message { get; init; } = "";
    public bool FailsTask { get; init; }
    public int ExitCode { get; init; }
    public int Signal { get; init; }
}

/// <summary>Whether an allocation is healthy, as its client found; null while it is undecided.</summary>
internal sealed record AllocDeploymentStatus
{
    public bool? Healthy { get; init; }
    public DateTimeOffset Timestamp { get; init; }
    public bool Canary { get; init; }
    public long ModifyIndex { get; init; }
}

internal sealed record RescheduleTracker(IReadOnlyList<RescheduleEvent> Events);

/// <param name="RescheduleTime">Nanoseconds since 1970.</param>
internal sealed record RescheduleEvent(long RescheduleTime, string PrevAllocID, string PrevNodeID, TimeSpan Delay);

/// <summary>Why nodes were taken or not; what an operator reads when a job does not start.</summary>
internal sealed record AllocMetric
{
    public int NodesEvaluated { get; init; }
    public int NodesFiltered { get; init; }
    public IReadOnlyDictionary<string, int>? NodesAvailable { get; init; }
    public IReadOnlyDictionary<string, int>? ClassFiltered { get; init; }
    public IReadOnlyDictionary<string, int>? ConstraintFiltered { get; init; }
    public int NodesExhausted { get; init; }
    public IReadOnlyDictionary<string, int>? ClassExhausted { get; init; }
    public IReadOnlyDictionary<string, int>? DimensionExhausted { get; init; }
    public IReadOnlyList<NodeScore>? ScoreMetaData { get; init; }
    public TimeSpan AllocationTime { get; init; }
    public int CoalescedFailures { get; init; }
}

internal sealed record NodeScore(string NodeID, IReadOnlyDictionary<string, double> Scores, double NormScore);
