// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

internal static class NodeStatus
{
    public const string Initializing = "initializing";
    public const string Ready = "ready";
    public const string Down = "down";

    public static readonly IReadOnlyList<string> All = [Initializing, Ready, Down];
}

internal static class NodeEligibility
{
    public const string Eligible = "eligible";
    public const string Ineligible = "ineligible";
}

/// <summary>A client as it registered, and what operators and heartbeats made of it since.</summary>
internal sealed record Node
{
    public required string ID { get; init; }

    /// <summary>Known to the client and the servers only; the API shows an empty one.</summary>
    public string SecretID { get; init; } = "";

    public string Datacenter { get; init; } = "";
    public string Name { get; init; } = "";
    public string HTTPAddr { get; init; } = "";
    public bool TLSEnabled { get; init; }
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();
    public NodeResources NodeResources { get; init; } = new();
    public NodeReservedResources ReservedResources { get; init; } = new();
    public IReadOnlyDictionary<string, string>? Links { get; init; }
    public IReadOnlyDictionary<string, string> Meta { get; init; } = new Dictionary<string, string>();
    public string NodeClass { get; init; } = "";

    /// <summary>Present while the node drains.</summary>
    public DrainStrategy? DrainStrategy { get; init; }

    public string SchedulingEligibility { get; init; } = "";
    public string Status { get; init; } = "";
    public string StatusDescription { get; init; } = "";

    /// <summary>Seconds since 1970.</summary>
    public long StatusUpdatedAt { get; init; }

    public IReadOnlyList<NodeEvent> Events { get; init; } = [];
    public IReadOnlyDictionary<string, DriverStatus> Drivers { get; init; } = new Dictionary<string, DriverStatus>();
    public LastDrain? LastDrain { get; init; }
    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    /// <summary>May receive allocations.</summary>
    [JsonIgnore]
    public bool Ready => Status == NodeStatus.Ready && DrainStrategy is null && SchedulingEligibility == NodeEligibility.Eligible;

    [JsonIgnore]
    public bool IsDown => Status == NodeStatus.Down;

    public Node WithoutSecret() => this with { SecretID = "" };
}

internal sealed record NodeResources
{
    public NodeCpu Cpu { get; init; } = new();
    public NodeMemory Memory { get; init; } = new();
    public NodeDisk Disk { get; init; } = new();
    public IReadOnlyList<NetworkResource> Networks { get; init; } = [];
    public IReadOnlyList<NodeNetwork> NodeNetworks { get; init; } = [];

    /// <summary>The first port for dynamic ones; 0 for Nomad's default.</summary>
    public int MinDynamicPort { get; init; }

    public int MaxDynamicPort { get; init; }
}

internal sealed record NodeCpu
{
    /// <summary>In MHz, over all cores.</summary>
    public long CpuShares { get; init; }

    public int TotalCpuCores { get; init; }
}

internal sealed record NodeMemory
{
    public long MemoryMB { get; init; }
}

internal sealed record NodeDisk
{
    public long DiskMB { get; init; }
}

internal sealed record NodeNetwork
{
    public string Mode { get; init; } = "";
    public string Device { get; init; } = "";
    public string MacAddress { get; init; } = "";
    public int Speed { get; init; }
    public IReadOnlyList<NodeAddress> Addresses { get; init; } = [];
}

/// <param name="Alias">The host network that ports name; <c>default</c> for most.</param>
/// <param name="ReservedPorts">Such as <c>22,80,8000-8100</c>.</param>
internal sealed record NodeAddress(string Family, string Alias, string Address, string ReservedPorts, string Gateway);

/// <summary>What the node keeps for itself.</summary>
internal sealed record NodeReservedResources
{
    public NodeCpu Cpu { get; init; } = new();
    public NodeMemory Memory { get; init; } = new();
    public NodeDisk Disk { get; init; } = new();
    public ReservedNetworks Networks { get; init; } = new("");
}

internal sealed record ReservedNetworks(string ReservedHostPorts);

/// <summary>A task driver as its node sees it.</summary>
internal sealed record DriverStatus
{
    public IReadOnlyDictionary<string, string>? Attributes { get; init; }
    public bool Detected { get; init; }
    public bool Healthy { get; init; }
    public string HealthDescription { get; init; } = "";
    public DateTimeOffset UpdateTime { get; init; }
}

internal sealed record NodeEvent
{
    public const string Cluster = "Cluster";
    public const string Drain = "Drain";
    public const string Driver = "Driver";

    public string Message { get; init; } = "";
    public string Subsystem { get; init; } = "";
    public IReadOnlyDictionary<string, string>? Details { get; init; }
    public DateTimeOffset Timestamp { get; init; }
    public long CreateIndex { get; init; }

    public static NodeEvent Of(string subsystem, string message, DateTimeOffset at) => new() { Subsystem = subsystem, Message = message, Timestamp = at };
}

/// <summary>How a node is drained.</summary>
internal sealed record DrainStrategy
{
    /// <summary>Less than zero: everything at once. Zero: as long as it takes.</summary>
    public TimeSpan Deadline { get; init; }

    public bool IgnoreSystemJobs { get; init; }

    /// <summary>When the deadline ends, counted from the start.</summary>
    public DateTimeOffset ForceDeadline { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public static DrainStrategy Start(TimeSpan deadline, bool ignoreSystemJobs, DateTimeOffset now) => new()
    {
        Deadline = deadline,
        IgnoreSystemJobs = ignoreSystemJobs,
        StartedAt = now,
        ForceDeadline = deadline > TimeSpan.Zero ? now + deadline : default,
    };

    public bool DeadlineReached(DateTimeOffset now) => Deadline < TimeSpan.Zero || (Deadline > TimeSpan.Zero && now >= ForceDeadline);
}

internal sealed record LastDrain
{
    public const string Draining = "draining";
    public const string Complete = "complete";
    public const string Canceled = "canceled";

    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; init; }
    public string Status { get; init; } = "";
    public string AccessorID { get; init; } = "";
    public IReadOnlyDictionary<string, string>? Meta { get; init; }
}
