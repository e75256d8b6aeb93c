// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Products;

/// <summary>A node in the cluster's state.</summary>
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

    /// <summary>By name; only what the node list shows.</summary>
    public IReadOnlyDictionary<string, DriverFacts> Drivers { get; init => field = value ?? new Dictionary<string, DriverFacts>(); } = new Dictionary<string, DriverFacts>();

    /// <summary>Only from <see cref="IScheduler.NodeAsync"/>; the list does not contain it.</summary>
    public IReadOnlyDictionary<string, string> Meta { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    [JsonIgnore]
    public bool Ready => Status == "ready";

    /// <summary>The state as a client's state: <c>starting|ready|down</c>.</summary>
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
/// <param name="Deadline">After this, all remaining allocations are stopped at once. Null: no deadline. Zero: stop everything now.</param>
internal sealed record DrainSpec(TimeSpan? Deadline, bool IgnoreSystemJobs = false)
{
    /// <summary>In Nomad's form: nanoseconds, 0 for no deadline, -1 for now.</summary>
    public long Nanoseconds => Deadline is not { } deadline ? 0 : deadline <= TimeSpan.Zero ? -1 : GoDuration.Nanoseconds(deadline);
}
