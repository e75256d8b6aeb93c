// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>What a scheduler wants for one job, from a state that may have moved on: the leader checks it node by node before it counts.</summary>
internal sealed record Plan
{
    public required string EvalID { get; init; }

    /// <summary>Whether it counts as a whole or not at all.</summary>
    public bool AllAtOnce { get; init; }

    public Job? Job { get; init; }

    /// <summary>By node: what stops there.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<StoppedAllocation>> NodeUpdate { get; init; } = new Dictionary<string, IReadOnlyList<StoppedAllocation>>();

    /// <summary>By node: what starts there or is changed in place.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<Allocation>> NodeAllocation { get; init; } = new Dictionary<string, IReadOnlyList<Allocation>>();

    public Deployment? Deployment { get; init; }
    public IReadOnlyList<DeploymentStatusUpdate> DeploymentUpdates { get; init; } = [];

    /// <summary>To be created with it: allocations refer to them.</summary>
    public IReadOnlyList<Evaluation> FollowUps { get; init; } = [];

    /// <summary>The state it was made from.</summary>
    public long SnapshotIndex { get; init; }

    public bool IsNoOp => NodeUpdate.Count == 0 && NodeAllocation.Count == 0 && Deployment is null && DeploymentUpdates.Count == 0;
}

/// <summary>What of a plan counts.</summary>
/// <param name="RefreshIndex">Not 0: something was rejected, and the scheduler must look at a state of at least this index.</param>
internal sealed record PlanResult(Plan Committed, long RefreshIndex)
{
    public bool MadeProgress => !Committed.IsNoOp;
}

/// <summary>What a scheduler would like to do with a group, as <c>job plan</c> shows it.</summary>
internal sealed record DesiredUpdates
{
    public int Ignore { get; init; }
    public int Place { get; init; }
    public int Migrate { get; init; }
    public int Stop { get; init; }
    public int InPlaceUpdate { get; init; }
    public int DestructiveUpdate { get; init; }
    public int Canary { get; }
    public int Preemptions { get; }
}
