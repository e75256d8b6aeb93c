// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Changes of a job that come without its file: another count, an earlier version, a dispatch; and an operator's word on a deployment.</summary>
internal static class JobChangesApi
{
    private static readonly SemaphoreSlim s_dispatching = new(1);

    public static async Task RevertAsync(ApiCall call)
    {
        var body = call.Body();
        var current = call.State.Job(call.JobKey) ?? throw ServerException.Failed($"job \"{call.Id}\" not found");
        var wanted = (long?)body["JobVersion"] ?? throw ServerException.Invalid("JobVersion is missing");
        if (wanted == current.Version) throw ServerException.Failed("can't revert to current version");
        if ((long?)body["EnforcePriorVersion"] is { } prior && prior != current.Version)
            throw ServerException.Failed($"Current job has version {current.Version}; enforcing version {prior}");
        var earlier = call.State.VersionsOf(call.JobKey).FirstOrDefault(v => v.Version == wanted)
            ?? throw ServerException.Failed($"job \"{call.Id}\" in namespace \"{call.Namespace}\" at version {wanted} not found");
        await JobsApi.WriteAsync(call, earlier with { Stop = false });
    }

    public static async Task ScaleAsync(ApiCall call)
    {
        var body = call.Body();
        var job = call.State.Job(call.JobKey) ?? throw ServerException.NotFound($"job \"{call.Id}\" not found");
        if (body["Target"] is not JsonObject target || (string?)target["Group"] is not { Length: > 0 } group)
            throw ServerException.Invalid("missing task group name for scaling action");
        if (target.FirstOrDefault(t => t.Key is not ("Group" or "Job" or "Namespace")).Key is { } unknown)
            throw ServerException.Invalid($"Target.{unknown}: is not known to the embedded engine");
        if ((string?)target["Job"] is { Length: > 0 } named && named != job.ID) throw ServerException.Invalid("Job ID does not match");
        if (job.Group(group) is null) throw ServerException.Invalid($"task group \"{group}\" specified for scaling does not exist in job");
        if ((long?)body["Count"] is not { } count)
        {
            // Only a remark; this engine keeps no scaling events.
            await call.WroteAsync(call.State.Index, new JsonObject { ["EvalID"] = "", ["EvalCreateIndex"] = 0, ["JobModifyIndex"] = job.JobModifyIndex });
            return;
        }

        if (count < 0) throw ServerException.Invalid("scaling action count can't be negative");
        if ((bool)body["Error"]!) throw ServerException.Invalid("scaling action should not contain count if error is true");
        if (call.State.LatestDeploymentOf(job.Key) is { Active: true }) throw ServerException.Invalid("job scaling blocked due to active deployment");
        var scaled = JobsApi.Checked(job with { TaskGroups = [.. job.TaskGroups.Select(g => g.Name == group ? g with { Count = (int)Math.Min(count, int.MaxValue) } : g)] });
        await JobsApi.WriteAsync(call, scaled, (long)body["JobModifyIndex"]! is > 0 and var only ? only : null);
    }

    public static async Task DispatchAsync(ApiCall call)
    {
        var body = call.BodyIfAny();
        var template = call.State.Job(call.JobKey) ?? throw ServerException.Failed("parameterized job not found");
        if (!template.IsParameterized) throw ServerException.Failed($"Specified job \"{call.Id}\" is not a parameterized job");
        if (template.Stop) throw ServerException.Failed($"Specified job \"{call.Id}\" is stopped");
        var given = body["Meta"] as JsonObject ?? [];
        var withPayload = (string?)body["Payload"] is { Length: > 0 };
        if (template.ParameterizedJob!.Refuses(withPayload, given.Select(entry => entry.Key)) is { } refusal) throw ServerException.Failed(refusal);
        var priority = JobsApi.Priority((long)body["Priority"]!, "Priority") ?? template.Priority;
        var token = call.Query("idempotency_token") is { Length: > 0 } asked ? asked : (string?)body["IdempotencyToken"] is { Length: > 0 } said ? said : null;

        // A second call with the token of the first must not look before the first has written.
        await s_dispatching.WaitAsync(call.Cancel);
        try
        {
            if (token is not null && ChildOf(template, call.State, token) is { } already)
            {
                await call.WroteAsync(call.State.Index, new JsonObject
                {
                    ["DispatchedJobID"] = already.ID,
                    ["EvalID"] = "",
                    ["EvalCreateIndex"] = 0,
                    ["JobCreateIndex"] = already.CreateIndex,
                });
                return;
            }

            var meta = new SortedDictionary<string, string>((template.Meta ?? new Dictionary<string, string>()).ToDictionary(), StringComparer.Ordinal);
            foreach (var (key, value) in given) meta[key] = (string)value!;
            var prefix = (string?)body["IdPrefixTemplate"] is { Length: > 0 } wanted ? wanted + "-" : "";
            var id = $"{template.ID}/dispatch-{prefix}{call.Now.ToUnixTimeSeconds()}-{LeaderSession.NewId()[..8]}";
            var job = JobsApi.Checked(template with
            {
                ID = id,
                Name = id,
                ParentID = template.ID,
                Dispatched = true,
                DispatchIdempotencyToken = token,
                Priority = priority,
                Meta = meta.Count > 0 ? meta : null,
                SubmitTime = UnixNanoseconds.Of(call.Now),
            });
            var evaluation = Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), call.Now);
            var index = await call.ApplyAsync(new RegisterJob(job, evaluation, null));
            await call.WroteAsync(index, new JsonObject { ["DispatchedJobID"] = id, ["EvalID"] = evaluation.ID, ["EvalCreateIndex"] = index, ["JobCreateIndex"] = index });
        }
        finally
        {
            s_dispatching.Release();
        }
    }

    private static Job? ChildOf(Job template, StateSnapshot state, string token) =>
        state.Jobs.All.FirstOrDefault(j => j.Namespace == template.Namespace && j.ParentID == template.ID && j.DispatchIdempotencyToken == token);

    public static async Task ScaleStatusAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Job(call.JobKey)?.ModifyIndex ?? s.Jobs.Index);
        var job = state.Job(call.JobKey) ?? throw ServerException.NotFound("job not found");
        var live = state.AllocationsOf(job.Key).Where(a => !a.Terminal).ToList();
        var groups = new JsonObject();
        foreach (var group in job.TaskGroups)
        {
            var mine = live.Where(a => a.TaskGroup == group.Name).ToList();
            groups[group.Name] = new JsonObject
            {
                ["Desired"] = group.Count,
                ["Placed"] = mine.Count,
                ["Running"] = mine.Count(a => a.ClientStatus == ClientStatus.Running),
                ["Healthy"] = mine.Count(a => a.DeploymentStatus?.Healthy == true),
                ["Unhealthy"] = mine.Count(a => a.DeploymentStatus?.Healthy == false),
                ["Events"] = new JsonArray(),
            };
        }

        await call.JsonAsync(new JsonObject { ["JobID"] = job.ID, ["Namespace"] = job.Namespace, ["JobCreateIndex"] = job.CreateIndex, ["JobModifyIndex"] = job.ModifyIndex, ["JobStopped"] = job.Stop, ["TaskGroups"] = groups });
    }

    public static async Task DeploymentAllocationsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Allocations.Index);
        await call.ListAsync(state.AllocationsIn(call.Id).Select(a => Stubs.Allocation(a, resources: false)));
    }

    /// <summary>An operator's word on allocations that no client may judge: those of a group with <c>health_check = "manual"</c>, and any other of the deployment.</summary>
    public static async Task AllocationHealthAsync(ApiCall call)
    {
        var (deployment, body) = (Deployment(call), call.Body());
        if (!deployment.Active) throw ServerException.Failed("can't set health of allocations for a terminal deployment");
        var (healthy, unhealthy) = (Texts(body["HealthyAllocationIDs"]), Texts(body["UnhealthyAllocationIDs"]));
        if (healthy.Count + unhealthy.Count == 0) throw ServerException.Invalid("must specify at least one healthy or unhealthy allocation ID");
        foreach (var id in healthy.Concat(unhealthy))
            if (call.State.Allocation(id)?.DeploymentID != deployment.ID) throw ServerException.Failed($"allocation \"{id}\" is not in deployment \"{deployment.ID}\"");
        var update = unhealthy.Count > 0 ? new DeploymentStatusUpdate(deployment.ID, DeploymentStatus.Failed, DeploymentStatus.DescriptionFailedAllocations) : null;
        var evaluation = EvaluationOf(call, deployment);
        var index = await call.ApplyAsync(new SetDeploymentHealth(deployment.ID, healthy, unhealthy, call.Now, update, evaluation));
        await WroteAsync(call, index, evaluation);
    }

    public static Task FailAsync(ApiCall call) => UpdateAsync(call, DeploymentStatus.Failed, DeploymentStatus.DescriptionFailedByUser, "can't fail terminal deployment");

    public static Task PauseAsync(ApiCall call) => (bool)call.Body()["Pause"]!
        ? UpdateAsync(call, DeploymentStatus.Paused, "Deployment is paused", "can't pause terminal deployment")
        : UpdateAsync(call, DeploymentStatus.Running, DeploymentStatus.DescriptionRunning, "can't resume terminal deployment");

    /// <summary>Jobs with canaries are refused, so that there are never any to promote.</summary>
    public static Task PromoteAsync(ApiCall call)
    {
        var deployment = Deployment(call);
        throw ServerException.Failed(deployment.Active ? "no canaries to promote" : "can't promote terminal deployment");
    }

    private static async Task UpdateAsync(ApiCall call, string status, string description, string refusal)
    {
        var deployment = Deployment(call);
        if (!deployment.Active) throw ServerException.Failed(refusal);
        // While it is paused, nothing is to be decided.
        var evaluation = status == DeploymentStatus.Paused ? null : EvaluationOf(call, deployment);
        var index = await call.ApplyAsync(new UpdateDeployment(new(deployment.ID, status, description), evaluation));
        await WroteAsync(call, index, evaluation);
    }

    private static Evaluation? EvaluationOf(ApiCall call, Deployment deployment) => call.State.Job(deployment.JobKey) is not { } job ? null
        : Evaluation.For(job, EvalTrigger.DeploymentWatcher, LeaderSession.NewId(), call.Now) with { DeploymentID = deployment.ID };

    private static Task WroteAsync(ApiCall call, long index, Evaluation? evaluation) => call.WroteAsync(index, new JsonObject
    {
        ["EvalID"] = evaluation?.ID ?? "",
        ["EvalCreateIndex"] = evaluation is null ? 0 : index,
        ["DeploymentModifyIndex"] = index,
        ["RevertedJobVersion"] = null,
    });

    private static Deployment Deployment(ApiCall call) => call.State.Deployment(call.Uuid("deployment")) ?? throw ServerException.NotFound("deployment not found");

    private static List<string> Texts(JsonNode? list) => [.. (list as JsonArray ?? []).Select(item => (string)item!)];
}
