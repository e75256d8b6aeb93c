// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>Tasks that are placed together on one node, <see cref="Count"/> times.</summary>
internal sealed record TaskGroup
{
    public string Name { get; init; } = "";
    public int Count { get; init; }
    public UpdateStrategy? Update { get; init; }
    public MigrateStrategy? Migrate { get; init; }
    public IReadOnlyList<Constraint>? Constraints { get; init; }
    public RestartPolicy RestartPolicy { get; init; } = new();

    /// <summary>None for system jobs, which the next evaluation places again.</summary>
    public ReschedulePolicy? ReschedulePolicy { get; init; }

    public EphemeralDisk EphemeralDisk { get; init; } = new();
    public IReadOnlyList<JobTask> Tasks { get; init; } = [];
    public IReadOnlyDictionary<string, string>? Meta { get; init; }
    public IReadOnlyList<NetworkResource>? Networks { get; init; }

    public IReadOnlyList<string>? Services { get; }
    public ConsulBlock Consul { get; } = ConsulBlock.None;
    public IReadOnlyList<string>? Affinities { get; }
    public IReadOnlyList<string>? Spreads { get; }
    public string? Volumes { get; }
    public string? Scaling { get; }
    public long? ShutdownDelay { get; }
    public long? StopAfterClientDisconnect { get; }

    public JobTask? Task(string name) => Tasks.FirstOrDefault(t => t.Name == name);
}

internal sealed record ConsulBlock(string Namespace)
{
    public static readonly ConsulBlock None = new("");
}

internal sealed record EphemeralDisk
{
    public bool Sticky { get; init; }
    public int SizeMB { get; init; }
    public bool Migrate { get; init; }
}

/// <summary>How the client restarts a task that ended.</summary>
internal sealed record RestartPolicy
{
    public const string ModeDelay = "delay";
    public const string ModeFail = "fail";

    public int Attempts { get; init; }
    public TimeSpan Interval { get; init; }
    public TimeSpan Delay { get; init; }
    public string Mode { get; init; } = "";
}

/// <summary>When a failed allocation gets a successor elsewhere.</summary>
internal sealed record ReschedulePolicy
{
    public const string Constant = "constant";
    public const string Exponential = "exponential";
    public const string Fibonacci = "fibonacci";

    public int Attempts { get; init; }
    public TimeSpan Interval { get; init; }
    public TimeSpan Delay { get; init; }
    public string DelayFunction { get; init; } = "";
    public TimeSpan MaxDelay { get; init; }
    public bool Unlimited { get; init; }

    public bool Enabled() => Attempts > 0 || Unlimited;
}

/// <summary>How a changed job replaces its allocations.</summary>
internal sealed record UpdateStrategy
{
    public TimeSpan Stagger { get; init; }
    public int MaxParallel { get; init; }
    public string HealthCheck { get; init; } = "";
    public TimeSpan MinHealthyTime { get; init; }
    public TimeSpan HealthyDeadline { get; init; }
    public TimeSpan ProgressDeadline { get; init; }
    public bool AutoRevert { get; init; }
    public bool AutoPromote { get; init; }
    public int Canary { get; init; }

    /// <summary>With a max_parallel of 0 everything is replaced at once, and no deployment watches it.</summary>
    public bool IsEmpty() => MaxParallel == 0;
}

/// <summary>How a drain moves allocations away.</summary>
internal sealed record MigrateStrategy
{
    public int MaxParallel { get; init; }
    public string HealthCheck { get; init; } = "";
    public TimeSpan MinHealthyTime { get; init; }
    public TimeSpan HealthyDeadline { get; init; }
}
