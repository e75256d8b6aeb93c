// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Evaluations, and the allocations and deployments that come of them.</summary>
internal static class EvaluationsApi
{
    public static async Task ListAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Evaluations.Index);
        var (job, status) = (call.Query("job") ?? "", call.Query("status") ?? "");
        var rows = state.Evaluations.All.Where(e => call.Wants(e.Namespace) && (job.Length == 0 || e.JobID == job) && (status.Length == 0 || e.Status == status));
        await call.ListAsync(rows, e => e.ID, e => e.ID, Shown, Shown);
    }

    public static async Task GetAsync(ApiCall call)
    {
        var id = call.Uuid("eval");
        var state = await call.ReadAsync(s => s.Evaluation(id)?.ModifyIndex ?? s.Evaluations.Index);
        var evaluation = state.Evaluation(id) ?? throw ServerException.NotFound("eval not found");
        var shown = Shown(evaluation);
        if (call.Flag("related")) shown["RelatedEvals"] = new JsonArray([.. Related(state, evaluation).Select(Shown)]);
        await call.JsonAsync(shown);
    }

    /// <summary>Those that it follows, waits for or is followed by, and theirs in turn.</summary>
    private static IEnumerable<Evaluation> Related(StateSnapshot state, Evaluation evaluation)
    {
        var (found, next) = (new HashSet<string>(StringComparer.Ordinal) { evaluation.ID }, new Queue<Evaluation>([evaluation]));
        while (next.TryDequeue(out var at))
        {
            var behind = state.EvaluationsOf(at.JobKey).Where(e => e.PreviousEval == at.ID).Select(e => e.ID);
            foreach (var other in behind.Concat([at.PreviousEval, at.NextEval, at.BlockedEval]).Select(state.Evaluation).OfType<Evaluation>())
            {
                if (!found.Add(other.ID)) continue;
                next.Enqueue(other);
                yield return other;
            }
        }
    }

    private static JsonObject Shown(Evaluation evaluation) => Stubs.Of(evaluation, StateJson.Default.Evaluation);

    public static async Task AllocationsOfAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.AllocationsFrom(call.Id).Select(a => a.ModifyIndex).DefaultIfEmpty(s.Allocations.Index).Max());
        await call.ListAsync(state.AllocationsFrom(call.Id).Select(a => Stubs.Allocation(a, resources: false)));
    }

    public static async Task AllocationsAsync(ApiCall call)
    {
        var (resources, tasks) = (call.Flag("resources"), call.Flag("task_states", absent: true));
        var state = await call.ReadAsync(s => s.Allocations.Index);
        await call.ListAsync(state.Allocations.All.Where(a => call.Wants(a.Namespace)), a => a.ID, a => a.ID, Stubs.WholeAllocation, a => Stubs.Allocation(a, resources, tasks));
    }

    public static async Task AllocationAsync(ApiCall call)
    {
        var id = call.Uuid("alloc");
        var state = await call.ReadAsync(s => s.Allocation(id)?.ModifyIndex ?? s.Allocations.Index);
        await call.JsonAsync(Stubs.WholeAllocation(state.Allocation(id) ?? throw ServerException.NotFound("alloc not found")));
    }

    public static async Task StopAllocationAsync(ApiCall call)
    {
        var state = call.State;
        var allocation = state.Allocation(call.Uuid("alloc")) ?? throw ServerException.NotFound("allocation not found");
        var evaluation = Evaluation.For(state.Job(allocation.JobKey) ?? allocation.Job, EvalTrigger.AllocStop, LeaderSession.NewId(), call.Now);
        var index = await call.ApplyAsync(new UpdateDesiredTransitions(new Dictionary<string, DesiredTransition> { [allocation.ID] = new() { Migrate = true } }, [evaluation]));
        await call.WroteAsync(index, new JsonObject { ["EvalID"] = evaluation.ID });
    }

    public static async Task DeploymentsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Deployments.Index);
        await call.ListAsync(state.Deployments.All.Where(d => call.Wants(d.Namespace)), d => d.ID, d => d.ID, Whole, Whole);

        static JsonObject Whole(Deployment deployment) => Stubs.Of(deployment, StateJson.Default.Deployment);
    }

    public static async Task DeploymentAsync(ApiCall call)
    {
        var id = call.Uuid("deployment");
        var state = await call.ReadAsync(s => s.Deployment(id)?.ModifyIndex ?? s.Deployments.Index);
        await call.JsonAsync(state.Deployment(id) ?? throw ServerException.NotFound("deployment not found"), StateJson.Default.Deployment);
    }
}
