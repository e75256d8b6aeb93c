// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Products;

/// <summary>A node as the cluster has it.</summary>
internal sealed record NodeFacts
{
    public string ID { get; init; } = "";
    public string Name { get; init; } = "";
    public string Datacenter { get; init; } = "";

    /// <summary><c>initializing|ready|down|disconnected</c>.</summary>
    public string Status { get; init; } = "";

    /// <summary><c>eligible|ineligible</c>.</summary>
    public string SchedulingEligibility { get; init; } = "";

    /// <summary>True while a drain runs.</summary>
    public bool Drain { get; init; }

    public string Version { get; init; } = "";
    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    /// <summary>By name; only what the node list shows of each.</summary>
    public IReadOnlyDictionary<string, DriverFacts> Drivers { get; init => field = value ?? new Dictionary<string, DriverFacts>(); } = new Dictionary<string, DriverFacts>();

    /// <summary>Only from <see cref="IScheduler.NodeAsync"/>: the list has none.</summary>
    public IReadOnlyDictionary<string, string> Meta { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    [JsonIgnore]
    public bool Ready => Status == "ready";

    /// <summary>As the state of a client: <c>starting|ready|down</c>.</summary>
    [JsonIgnore]
    public string ClientState => Status == "initializing" ? "starting" : Ready ? "ready" : "down";

    [JsonIgnore]
    public bool Eligible => SchedulingEligibility == "eligible";

    /// <summary>Whether the scheduler may place a server job here.</summary>
    [JsonIgnore]
    public bool TakesServers => Ready && Eligible && !Drain && Drivers.TryGetValue("nomadstack", out var driver) && driver.Healthy;
}

internal sealed record DriverFacts(bool Detected, bool Healthy, string? HealthDescription);

/// <summary>How to drain.</summary>
/// <param name="Deadline">After it all that is left is stopped at once; null: no deadline. Zero: stop everything now.</param>
internal sealed record DrainSpec(TimeSpan? Deadline, bool IgnoreSystemJobs = false)
{
    /// <summary>Nomad's way: nanoseconds, 0 for none, -1 for now.</summary>
    public long Nanoseconds => Deadline is not { } deadline ? 0 : deadline <= TimeSpan.Zero ? -1 : GoDuration.Nanoseconds(deadline);
}
