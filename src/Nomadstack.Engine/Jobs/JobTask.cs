// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Engine.Jobs;

/// <summary>One process, run by one driver. Nomad's "task"; .NET has that word already.</summary>
internal sealed record JobTask
{
    public string Name { get; init; } = "";
    public string Driver { get; init; } = "";

    /// <summary>The driver's own; null when empty.</summary>
    public JsonElement? Config { get; init; }

    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public IReadOnlyList<Constraint>? Constraints { get; init; }
    public Resources Resources { get; init; } = new();
    public RestartPolicy RestartPolicy { get; init; } = new();
    public IReadOnlyDictionary<string, string>? Meta { get; init; }

    /// <summary>From the first signal to the last.</summary>
    public TimeSpan KillTimeout { get; init; }

    public LogConfig LogConfig { get; init; } = new();
    public string KillSignal { get; init; } = "";

    public IReadOnlyList<string>? Services { get; }
    public string User { get; } = "";
    public string? Vault { get; }
    public IReadOnlyList<string>? Templates { get; }
    public IReadOnlyList<string>? Affinities { get; }
    public string? DispatchPayload { get; }
    public string? Lifecycle { get; }
    public IReadOnlyList<string>? Artifacts { get; }
    public bool Leader { get; }
    public long ShutdownDelay { get; }
    public IReadOnlyList<string>? VolumeMounts { get; }
    public IReadOnlyList<string>? ScalingPolicies { get; }
    public string Kind { get; } = "";
    public string? CSIPluginConfig { get; }
}

/// <summary>What a task claims of its node.</summary>
internal sealed record Resources
{
    /// <summary>In MHz.</summary>
    public int CPU { get; init; }

    public int Cores { get; init; }
    public int MemoryMB { get; init; }
    public int MemoryMaxMB { get; init; }
    public int DiskMB { get; init; }
    public int IOPS { get; init; }
    public IReadOnlyList<NetworkResource>? Networks { get; init; }
    public IReadOnlyList<string>? Devices { get; }
}

internal sealed record LogConfig
{
    public int MaxFiles { get; init; }
    public int MaxFileSizeMB { get; init; }
}

/// <summary>What a group asks of its node's network, and with an <see cref="IP"/> and port numbers what it got.</summary>
internal sealed record NetworkResource
{
    public const string DefaultHostNetwork = "default";

    public string Mode { get; init; } = "";
    public string Device { get; init; } = "";
    public string CIDR { get; init; } = "";
    public string IP { get; init; } = "";
    public int MBits { get; init; }
    public IReadOnlyList<Port>? ReservedPorts { get; init; }
    public IReadOnlyList<Port>? DynamicPorts { get; init; }

    public string? DNS { get; }

    [JsonIgnore]
    public IEnumerable<Port> AllPorts => (ReservedPorts ?? []).Concat(DynamicPorts ?? []);
}

/// <param name="Value">The port on the host; 0 while a dynamic one is not chosen yet.</param>
/// <param name="To">The port inside, -1 for the same, 0 for not mapped.</param>
internal sealed record Port(string Label, int Value, int To, string HostNetwork);
