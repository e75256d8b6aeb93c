// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>A plan in the making, and what each node would hold if it were carried out.</summary>
internal sealed class PlanDraft(StateSnapshot state)
{
    private readonly SortedDictionary<string, List<StoppedAllocation>> _stopped = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, List<Allocation>> _placed = new(StringComparer.Ordinal);

    // Kept until something changes on the node: a thousand placements would count a thousand times.
    private readonly Dictionary<string, IReadOnlyList<Occupant>> _occupants = new(StringComparer.Ordinal);

    public StateSnapshot State { get; } = state;

    public Deployment? Deployment { get; set; }

    public List<DeploymentStatusUpdate> DeploymentUpdates { get; } = [];

    public List<Evaluation> FollowUps { get; } = [];

    /// <param name="clientStatus">Empty, or <c>lost</c> where no client will say it.</param>
    public void Stop(Allocation allocation, string description, string clientStatus = "", string followUp = "")
    {
        _occupants.Remove(allocation.NodeID);
        if (!_stopped.TryGetValue(allocation.NodeID, out var list)) _stopped[allocation.NodeID] = list = [];
        if (list.All(s => s.ID != allocation.ID)) list.Add(new StoppedAllocation(allocation.ID, description, clientStatus, followUp));
    }

    public void UndoStop(Allocation allocation)
    {
        _occupants.Remove(allocation.NodeID);
        if (!_stopped.TryGetValue(allocation.NodeID, out var list)) return;
        list.RemoveAll(s => s.ID == allocation.ID);
        if (list.Count == 0) _stopped.Remove(allocation.NodeID);
    }

    /// <summary>A new allocation, or one that exists in a new form.</summary>
    public void Place(Allocation allocation)
    {
        _occupants.Remove(allocation.NodeID);
        if (!_placed.TryGetValue(allocation.NodeID, out var list)) _placed[allocation.NodeID] = list = [];
        list.Add(allocation);
    }

    /// <summary>What takes up a node's resources when the plan is carried out, for a newcomer that replaces <paramref name="replacing"/> or nobody.</summary>
    public IReadOnlyList<Occupant> ProposedOn(string nodeId, Allocation? replacing = null)
    {
        if (replacing?.NodeID == nodeId) return Occupants(nodeId, replacing.ID);
        if (!_occupants.TryGetValue(nodeId, out var known)) _occupants[nodeId] = known = Occupants(nodeId, "");
        return known;
    }

    private IReadOnlyList<Occupant> Occupants(string nodeId, string replacing) =>
        NodeOccupancy.Of(State, nodeId, _stopped.GetValueOrDefault(nodeId) ?? [], _placed.GetValueOrDefault(nodeId) ?? [], replacing);

    /// <summary>The job's allocations wherever they are, when the plan is carried out.</summary>
    public IEnumerable<Allocation> ProposedOf(JobKey job)
    {
        var placed = _placed.Values.SelectMany(p => p).ToDictionary(a => a.ID, StringComparer.Ordinal);
        var stopped = _stopped.Values.SelectMany(s => s).Select(s => s.ID).ToHashSet(StringComparer.Ordinal);
        return State.AllocationsOf(job).Where(a => !a.ClientTerminal && !stopped.Contains(a.ID) && !placed.ContainsKey(a.ID)).Concat(placed.Values);
    }

    public Plan ToPlan(Evaluation evaluation, Job? job) => new()
    {
        EvalID = evaluation.ID,
        AllAtOnce = job?.AllAtOnce ?? false,
        Job = job,
        NodeUpdate = _stopped.ToDictionary(n => n.Key, n => (IReadOnlyList<StoppedAllocation>)n.Value, StringComparer.Ordinal),
        NodeAllocation = _placed.ToDictionary(n => n.Key, n => (IReadOnlyList<Allocation>)n.Value, StringComparer.Ordinal),
        Deployment = Deployment,
        DeploymentUpdates = DeploymentUpdates,
        FollowUps = FollowUps,
        SnapshotIndex = State.Index,
    };
}
