// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Evaluations, and the allocations and deployments that come of them.</summary>
internal static class EvaluationsApi
{
    public static async Task ListAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Evaluations.Index);
        await call.ListAsync(state.Evaluations.All.Where(e => call.Wants(e.Namespace) && Starts(call, e.ID)).Select(e => Stubs.Of(e, StateJson.Default.Evaluation)));
    }

    public static async Task GetAsync(ApiCall call)
    {
        var id = call.Uuid("eval");
        var state = await call.ReadAsync(s => s.Evaluation(id)?.ModifyIndex ?? s.Evaluations.Index);
        await call.JsonAsync(state.Evaluation(id) ?? throw ServerException.NotFound("eval not found"), StateJson.Default.Evaluation);
    }

    public static async Task AllocationsOfAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.AllocationsFrom(call.Id).Select(a => a.ModifyIndex).DefaultIfEmpty(s.Allocations.Index).Max());
        await call.ListAsync(state.AllocationsFrom(call.Id).Select(a => Stubs.Allocation(a, resources: false)));
    }

    public static async Task AllocationsAsync(ApiCall call)
    {
        var resources = call.Query("resources") is "true" or "1";
        var state = await call.ReadAsync(s => s.Allocations.Index);
        await call.ListAsync(state.Allocations.All.Where(a => call.Wants(a.Namespace) && Starts(call, a.ID)).Select(a => Stubs.Allocation(a, resources)));
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
        await call.ListAsync(state.Deployments.All.Where(d => call.Wants(d.Namespace) && Starts(call, d.ID)).Select(d => Stubs.Of(d, StateJson.Default.Deployment)));
    }

    public static async Task DeploymentAsync(ApiCall call)
    {
        var id = call.Uuid("deployment");
        var state = await call.ReadAsync(s => s.Deployment(id)?.ModifyIndex ?? s.Deployments.Index);
        await call.JsonAsync(state.Deployment(id) ?? throw ServerException.NotFound("deployment not found"), StateJson.Default.Deployment);
    }

    private static bool Starts(ApiCall call, string id) => id.StartsWith(call.Prefix, StringComparison.Ordinal);
}
