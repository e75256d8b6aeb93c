// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Nodes: seen, drained, made eligible, forgotten.</summary>
internal static class NodesApi
{
    private const string NotFound = "node not found";

    public static async Task ListAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Nodes.Index);
        var (resources, system) = (call.Flag("resources"), call.Flag("os"));
        await call.ListAsync(state.Nodes.All, n => n.ID, n => n.ID, Stubs.WholeNode, n => Stubs.Node(n, resources, system));
    }

    public static async Task GetAsync(ApiCall call)
    {
        var id = call.Uuid("node");
        var state = await call.ReadAsync(s => s.Node(id)?.ModifyIndex ?? s.Nodes.Index);
        await call.JsonAsync(Stubs.WholeNode(state.Node(id) ?? throw ServerException.NotFound(NotFound)));
    }

    public static async Task AllocationsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.AllocationsOn(call.Id).Select(a => a.ModifyIndex).DefaultIfEmpty(s.Allocations.Index).Max());
        await call.ListAsync(state.AllocationsOn(call.Id).Where(a => call.Holder.Grants.In(a.Namespace, Capability.ReadJob)).Select(Stubs.WholeAllocation));
    }

    public static async Task DrainAsync(ApiCall call)
    {
        var (node, body, now) = (Known(call), call.Body(), call.Now);
        DrainStrategy? drain = null;
        if (body["DrainSpec"] is JsonObject spec)
        {
            var nanoseconds = (long)spec["Deadline"]!;
            // A nanosecond less than zero is shorter than a tick.
            var deadline = nanoseconds is < 0 and > -TimeSpan.NanosecondsPerTick ? TimeSpan.FromTicks(-1) : TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
            drain = DrainStrategy.Start(deadline, (bool)spec["IgnoreSystemJobs"]!, now);
            // A drain that is changed began when it began.
            if (node.DrainStrategy is { } under) drain = drain with { StartedAt = under.StartedAt };
        }

        var eligible = drain is null && (bool)body["MarkEligible"]!;
        var meta = body["Meta"] is JsonObject given ? given.ToDictionary(p => p.Key, p => (string)p.Value!, StringComparer.Ordinal) : null;
        var evaluations = eligible && node.SchedulingEligibility == NodeEligibility.Ineligible ? Evaluate(call, node) : [];
        var said = NodeEvent.Of(NodeEvent.Drain, drain is null ? "Node drain disabled" : "Node drain strategy set", now);
        var index = await call.ApplyAsync(new UpdateNodeDrain(node.ID, drain, eligible, Completed: false, now, said, meta, evaluations));
        await WroteAsync(call, index, evaluations);
    }

    public static async Task EligibilityAsync(ApiCall call)
    {
        var (node, body) = (Known(call), call.Body());
        var wanted = (string)body["Eligibility"]!;
        if (wanted.Length == 0) throw ServerException.Invalid("Node ID hasn't been provided");
        var changes = wanted != node.SchedulingEligibility;
        var evaluations = changes && wanted == NodeEligibility.Eligible ? Evaluate(call, node) : [];
        var said = changes ? NodeEvent.Of(NodeEvent.Cluster, $"Node marked as {wanted} for scheduling", call.Now) : null;
        var index = await call.ApplyAsync(new UpdateNodeEligibility(node.ID, wanted, call.Now, said, evaluations));
        await WroteAsync(call, index, evaluations);
    }

    public static async Task EvaluateAsync(ApiCall call)
    {
        var evaluations = Evaluate(call, Known(call));
        await WroteAsync(call, await call.ApplyAsync(new UpsertEvaluations(evaluations)), evaluations);
    }

    public static async Task PurgeAsync(ApiCall call)
    {
        var node = Known(call);
        var evaluations = Evaluate(call, node);
        await WroteAsync(call, await call.ApplyAsync(new DeregisterNodes([node.ID], evaluations)), evaluations);
    }

    private static Node Known(ApiCall call) => call.State.Node(call.Uuid("node")) ?? throw ServerException.Failed(NotFound);

    private static IReadOnlyList<Evaluation> Evaluate(ApiCall call, Node node) => NodeEvaluations.For(call.State, node.ID, EvalTrigger.NodeUpdate, call.Now, LeaderSession.NewId);

    private static Task WroteAsync(ApiCall call, long index, IReadOnlyList<Evaluation> evaluations) => call.WroteAsync(index, new JsonObject
    {
        ["EvalIDs"] = new JsonArray([.. evaluations.Select(e => (JsonNode)JsonValue.Create(e.ID))]),
        ["EvalCreateIndex"] = evaluations.Count > 0 ? index : 0,
        ["NodeModifyIndex"] = index,
    });
}
