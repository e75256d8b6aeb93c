// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Changes of a job that come without its file: another count, an earlier version, a dispatch; and an operator's word on a deployment.</summary>
internal static class JobChangesApi
{
    public static async Task RevertAsync(ApiCall call)
    {
        var body = call.Body();
        var current = call.State.Job(call.JobKey) ?? throw ServerException.Failed($"job \"{call.Id}\" not found");
        var wanted = Number(body["JobVersion"]) ?? throw ServerException.Invalid("JobVersion is missing");
        if (wanted == current.Version) throw ServerException.Failed("can't revert to current version");
        if (Number(body["EnforcePriorVersion"]) is { } prior && prior != current.Version) throw ServerException.Failed($"Current job has version {current.Version}; enforcing version {prior}");
        var earlier = call.State.VersionsOf(call.JobKey).FirstOrDefault(v => v.Version == wanted)
            ?? throw ServerException.Failed($"job \"{call.Id}\" in namespace \"{call.Namespace}\" at version {wanted} not found");
        await JobsApi.WriteAsync(call, earlier with { Stop = false });
    }

    public static async Task ScaleAsync(ApiCall call)
    {
        var body = call.Body();
        var job = call.State.Job(call.JobKey) ?? throw ServerException.NotFound($"job \"{call.Id}\" not found");
        var group = body["Target"] is JsonObject target && target["Group"] is JsonValue name && name.TryGetValue<string>(out var text) ? text : throw ServerException.Invalid("missing task group name for scaling action");
        if (job.Group(group) is null) throw ServerException.Invalid($"task group \"{group}\" specified for scaling does not exist in job");
        if (Number(body["Count"]) is not { } count)
        {
            // Only a remark; this engine keeps no scaling events.
            await call.WroteAsync(call.State.Index, new JsonObject { ["EvalID"] = "", ["EvalCreateIndex"] = 0, ["JobModifyIndex"] = job.JobModifyIndex });
            return;
        }

        if (count is < 0 or > int.MaxValue) throw ServerException.Invalid("scaling action count can't be negative");
        if (call.State.LatestDeploymentOf(job.Key) is { Active: true }) throw ServerException.Invalid("job scaling blocked due to active deployment");
        await JobsApi.WriteAsync(call, job with { TaskGroups = [.. job.TaskGroups.Select(g => g.Name == group ? g with { Count = (int)count } : g)] });
    }

    public static async Task DispatchAsync(ApiCall call)
    {
        var body = call.RawBody.IsEmpty ? [] : call.Body();
        var template = call.State.Job(call.JobKey) ?? throw ServerException.Failed("parameterized job not found");
        if (!template.IsParameterized) throw ServerException.Failed($"Specified job \"{call.Id}\" is not a parameterized job");
        if (template.Stop) throw ServerException.Failed($"Specified job \"{call.Id}\" is stopped");
        var given = body["Meta"] as JsonObject ?? [];
        if (given.Any(entry => entry.Value?.GetValueKind() != System.Text.Json.JsonValueKind.String)) throw ServerException.Invalid("Meta must be a map of strings");
        if (template.ParameterizedJob!.Refuses(payload: body["Payload"]?.ToString() is { Length: > 0 }, given.Select(entry => entry.Key)) is { } refusal) throw ServerException.Failed(refusal);

        var meta = new SortedDictionary<string, string>((template.Meta ?? new Dictionary<string, string>()).ToDictionary(), StringComparer.Ordinal);
        foreach (var (key, value) in given) meta[key] = (string)value!;
        var id = $"{template.ID}/dispatch-{call.Now.ToUnixTimeSeconds()}-{LeaderSession.NewId()[..8]}";
        var job = template with { ID = id, Name = id, ParentID = template.ID, Dispatched = true, Meta = meta.Count > 0 ? meta : null, SubmitTime = UnixNanoseconds.Of(call.Now) };
        var evaluation = Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), call.Now);
        var index = await call.ApplyAsync(new RegisterJob(job, evaluation, null));
        await call.WroteAsync(index, new JsonObject { ["DispatchedJobID"] = id, ["EvalID"] = evaluation.ID, ["EvalCreateIndex"] = index, ["JobCreateIndex"] = index });
    }

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

    public static Task FailAsync(ApiCall call) => UpdateAsync(call, DeploymentStatus.Failed, DeploymentStatus.DescriptionFailedByUser, "can't fail terminal deployment");

    public static Task PauseAsync(ApiCall call) => call.Body()["Pause"]?.GetValueKind() == System.Text.Json.JsonValueKind.True
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
        var job = status == DeploymentStatus.Paused ? null : call.State.Job(deployment.JobKey);
        var evaluation = job is null ? null : Evaluation.For(job, EvalTrigger.DeploymentWatcher, LeaderSession.NewId(), call.Now) with { DeploymentID = deployment.ID };
        var index = await call.ApplyAsync(new UpdateDeployment(new(deployment.ID, status, description), evaluation));
        await call.WroteAsync(index, new JsonObject { ["EvalID"] = evaluation?.ID ?? "", ["EvalCreateIndex"] = evaluation is null ? 0 : index, ["DeploymentModifyIndex"] = index, ["RevertedJobVersion"] = null });
    }

    private static Deployment Deployment(ApiCall call) => call.State.Deployment(call.Uuid("deployment")) ?? throw ServerException.NotFound("deployment not found");

    private static long? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue<long>(out var number) ? number : null;
}
