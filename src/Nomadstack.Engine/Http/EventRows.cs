// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <param name="FilterKeys">Ids of what it belongs to; a reader may ask by them too.</param>
internal sealed record StateEvent(string Topic, string Type, string Key, string Namespace, IReadOnlyList<string> FilterKeys, JsonObject Row);

/// <summary>What of the state an event is about.</summary>
internal static class EventRows
{
    private const string Job = "Job", Evaluation = "Evaluation", Allocation = "Allocation", Deployment = "Deployment", Node = "Node";

    public static readonly IReadOnlyList<string> Topics = [Job, Evaluation, Allocation, Deployment, Node];

    /// <summary>Nomad's word for a change; null for one of which Nomad says nothing.</summary>
    public static string? TypeOf(Command command) => command switch
    {
        RegisterNode => "NodeRegistration",
        DeregisterNodes => "NodeDeregistration",
        UpdateNodeStatus => "NodeStreamEvent",
        UpdateNodeDrain => "NodeDrain",
        UpdateNodeEligibility => "NodeEligibility",
        RegisterJob => "JobRegistered",
        DeregisterJob => "JobDeregistered",
        UpsertEvaluations => "EvaluationUpdated",
        ApplyPlan => "PlanResult",
        UpdateAllocations => "AllocationUpdated",
        UpdateDesiredTransitions => "AllocationUpdateDesiredStatus",
        UpdateDeployment => "DeploymentStatusUpdate",
        SetDeploymentHealth => "DeploymentAllocHealth",
        _ => null,
    };

    /// <summary>The rows whose last change was at an index.</summary>
    /// <param name="type">Of the change; null where it is not known any more.</param>
    public static IEnumerable<StateEvent> At(StateSnapshot state, long index, string? type) =>
    [
        .. Changed(state.Jobs, index, j => j.ModifyIndex).Select(j => Of(j, type)),
        .. Changed(state.Evaluations, index, e => e.ModifyIndex).Select(e => Of(e, type)),
        .. Changed(state.Allocations, index, a => a.ModifyIndex).Select(a => Of(a, type)),
        .. Changed(state.Deployments, index, d => d.ModifyIndex).Select(d => Of(d, type)),
        .. Changed(state.Nodes, index, n => n.ModifyIndex).Select(n => Of(n, type)),
    ];

    /// <summary>Jobs and nodes that a change removed.</summary>
    public static IEnumerable<StateEvent> Gone(StateSnapshot before, StateSnapshot now, string type) =>
    [
        .. now.Jobs.Count < before.Jobs.Count ? before.Jobs.All.Where(j => now.Job(j.Key) is null).Select(j => Of(j, type)) : [],
        .. now.Nodes.Count < before.Nodes.Count ? before.Nodes.All.Where(n => now.Node(n.ID) is null).Select(n => Of(n, type)) : [],
    ];

    /// <summary>At which indexes something was changed last, from one on.</summary>
    public static IEnumerable<long> Indexes(StateSnapshot state, long from) =>
        new SortedSet<long>(state.Jobs.All.Select(j => j.ModifyIndex)
            .Concat(state.Evaluations.All.Select(e => e.ModifyIndex))
            .Concat(state.Allocations.All.Select(a => a.ModifyIndex))
            .Concat(state.Deployments.All.Select(d => d.ModifyIndex))
            .Concat(state.Nodes.All.Select(n => n.ModifyIndex))
            .Where(index => index >= from));

    private static IEnumerable<T> Changed<T>(Table<T> table, long index, Func<T, long> indexOf)
        where T : class => table.Index < index ? [] : table.All.Where(row => indexOf(row) == index);

    private static StateEvent Of(Job job, string? type) => new(Job, type ?? "JobRegistered", job.ID, job.Namespace, [], Stubs.Of(job, JobJson.Default.Job));

    private static StateEvent Of(Evaluation evaluation, string? type) =>
        new(Evaluation, type ?? "EvaluationUpdated", evaluation.ID, evaluation.Namespace, Keys(evaluation.JobID, evaluation.DeploymentID),
            Stubs.Of(evaluation, StateJson.Default.Evaluation));

    /// <summary>Without its job, as Nomad sends it.</summary>
    private static StateEvent Of(Allocation allocation, string? type) =>
        new(Allocation, type ?? "AllocationUpdated", allocation.ID, allocation.Namespace, Keys(allocation.JobID, allocation.DeploymentID),
            Stubs.Of(allocation with { Job = null! }, StateJson.Default.Allocation));

    private static StateEvent Of(Deployment deployment, string? type) =>
        new(Deployment, type ?? "DeploymentStatusUpdate", deployment.ID, deployment.Namespace, Keys(deployment.JobID), Stubs.Of(deployment, StateJson.Default.Deployment));

    private static StateEvent Of(Node node, string? type) => new(Node, type ?? "NodeRegistration", node.ID, "", [], Stubs.WholeNode(node));

    private static List<string> Keys(params ReadOnlySpan<string> keys)
    {
        var some = new List<string>();
        foreach (var key in keys)
            if (key.Length > 0) some.Add(key);
        return some;
    }
}
