// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What has to change for a job to be as it should, before anybody has looked for a node.</summary>
internal sealed record Reconciliation
{
    public List<Stopping> Stop { get; } = [];

    /// <summary>In the order in which they are to be placed.</summary>
    public List<Placing> Place { get; } = [];

    /// <summary>To be stopped and placed in one: the old one stays when there is no room for the new.</summary>
    public List<Placing> Replace { get; } = [];

    /// <summary>In their new form.</summary>
    public List<Allocation> UpdateInPlace { get; } = [];

    /// <summary>Failed allocations that learn which evaluation will come for them.</summary>
    public List<Allocation> Annotate { get; } = [];

    /// <summary>Created or changed.</summary>
    public Deployment? Deployment { get; set; }

    public List<DeploymentStatusUpdate> DeploymentUpdates { get; } = [];
    public List<Evaluation> FollowUps { get; } = [];
    public SortedDictionary<string, DesiredUpdates> Desired { get; } = new(StringComparer.Ordinal);
}

/// <param name="ClientStatus">Empty, or <c>lost</c>.</param>
internal sealed record Stopping(Allocation Allocation, string Description, string ClientStatus = "");

/// <param name="Previous">The one it replaces.</param>
/// <param name="Reschedules">Whether it counts as an attempt of the reschedule policy.</param>
internal sealed record Placing(TaskGroup Group, string Name, Allocation? Previous = null, bool Reschedules = false);

/// <summary>What a new version of a job means for a running allocation.</summary>
internal abstract record VersionChange
{
    private VersionChange() { }

    internal sealed record None : VersionChange;

    internal sealed record InPlace(Allocation Updated) : VersionChange;

    internal sealed record Destructive : VersionChange;
}

/// <summary>Nomad's descriptions of why an allocation stops.</summary>
internal static class StopReason
{
    public const string NotNeeded = "alloc not needed due to job update";
    public const string Migrating = "alloc is being migrated";
    public const string Updating = "alloc is being updated due to job update";
    public const string Lost = "alloc is lost since its node is down";
    public const string NodeTainted = "alloc not needed as node is tainted";
    public const string Rescheduled = "alloc was rescheduled because it failed";
}
