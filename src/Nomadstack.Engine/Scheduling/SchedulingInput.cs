// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>All that a scheduler goes by. The same input gives the same attempt.</summary>
/// <param name="NewId">For allocations, deployments and evaluations.</param>
/// <param name="Random">Decides between nodes that are equally good, and where the search for a port begins.</param>
internal sealed record SchedulingInput(StateSnapshot State, Evaluation Evaluation, DateTimeOffset Now, Func<string> NewId, Random Random)
{
    /// <summary>In one plan. An allocation with its tasks stays far below the 16 KiB that so many may each have in an entry of the raft log (16 MiB).</summary>
    private const int PerPlan = 1024;

    public Job? Job { get; } = State.Job(Evaluation.JobKey);

    public int MaxPlacements { get; init; } = PerPlan;

    /// <summary>Ready nodes of the job's datacenters in an order of chance, and how many each datacenter has.</summary>
    public (IReadOnlyList<Node> Nodes, IReadOnlyDictionary<string, int> ByDatacenter) ReadyNodes()
    {
        var byDatacenter = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in Job?.Datacenters ?? [])
            if (!name.Contains('*')) byDatacenter[name] = 0;
        var nodes = new List<Node>();
        foreach (var node in State.Nodes.All)
        {
            if (!node.Ready || Job is null || !Job.Datacenters.Any(pattern => Matches(pattern, node.Datacenter))) continue;
            byDatacenter[node.Datacenter] = byDatacenter.GetValueOrDefault(node.Datacenter) + 1;
            nodes.Add(node);
        }

        var shuffled = nodes.ToArray();
        Random.Shuffle(shuffled);
        return (shuffled, byDatacenter);
    }

    /// <summary>Nodes of these allocations that are down, draining or (null) gone.</summary>
    public IReadOnlyDictionary<string, Node?> TaintedNodes(IEnumerable<Allocation> allocations)
    {
        var tainted = new Dictionary<string, Node?>(StringComparer.Ordinal);
        foreach (var id in allocations.Select(a => a.NodeID).Distinct())
            if (State.Node(id) is not { IsDown: false, DrainStrategy: null }) tainted[id] = State.Node(id);
        return tainted;
    }

    // A star stands for any text, as in Nomad from 1.5 on.
    private static bool Matches(string pattern, string datacenter) =>
        System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, datacenter, ignoreCase: false);
}

/// <summary>What one look at a job came to.</summary>
/// <param name="Failed">By group: why something of it could not be placed. Empty when everything has its place.</param>
/// <param name="Queued">By group: how many the plan places or would have liked to.</param>
/// <param name="NextEvaluation">Goes on with a rolling update after its stagger; only system jobs have it.</param>
internal sealed record SchedulingAttempt(Plan Plan, IReadOnlyDictionary<string, AllocMetric> Failed, IReadOnlyDictionary<string, int> Queued, IReadOnlyDictionary<string, DesiredUpdates> Desired, string DeploymentID, Evaluation? NextEvaluation = null)
{
    /// <summary>There was more to place than one plan may hold: another follows at once.</summary>
    public bool More { get; init; }
}
