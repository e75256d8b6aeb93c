// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>Jobs: read, registered, stopped, and what became of them.</summary>
internal static class JobsApi
{
    private const string NotFound = "job not found";

    public static async Task ListAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => Math.Max(s.Jobs.Index, s.JobSummaries.Index));
        await call.ListAsync(state.Jobs.All.Where(j => call.Wants(j.Namespace) && j.ID.StartsWith(call.Prefix, StringComparison.Ordinal)).Select(j => Stubs.Job(j, state)));
    }

    public static async Task GetAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Job(call.JobKey)?.ModifyIndex ?? s.Jobs.Index);
        await call.JsonAsync(state.Job(call.JobKey) ?? throw ServerException.NotFound(NotFound), JobJson.Default.Job);
    }

    public static async Task RegisterAsync(ApiCall call)
    {
        var body = call.Body();
        var (job, warnings) = Read(call, body);
        RefuseTransition(call.State.Job(job.Key), job);
        long? enforced = body["EnforceIndex"]?.GetValueKind() == JsonValueKind.True ? body["JobModifyIndex"]?.GetValueKind() == JsonValueKind.Number ? (long)body["JobModifyIndex"]! : 0 : null;
        await WriteAsync(call, job, enforced, warnings.Count > 0 ? $"{warnings.Count} warning(s):\n\n{string.Concat(warnings.Select(w => $"* {w}\n"))}" : "");
    }

    /// <summary>Writes a version of a job and answers as to its registration.</summary>
    public static async Task WriteAsync(ApiCall call, Job job, long? enforced = null, string warnings = "")
    {
        var evaluation = job.IsParameterized ? null : Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), call.Now);
        var index = await call.ApplyAsync(new RegisterJob(job with { SubmitTime = UnixNanoseconds.Of(call.Now) }, evaluation, enforced));
        await call.WroteAsync(index, new JsonObject
        {
            ["EvalID"] = evaluation?.ID ?? "",
            ["EvalCreateIndex"] = evaluation is null ? 0 : index,
            ["JobModifyIndex"] = call.State.Job(job.Key)?.JobModifyIndex ?? index,
            ["Warnings"] = warnings,
        });
    }

    public static async Task DeregisterAsync(ApiCall call)
    {
        // An evaluation comes even for a job that is unknown: allocations of it may still be about.
        var job = call.State.Job(call.JobKey) ?? new Job { ID = call.Id, Namespace = call.Namespace, Priority = 50 };
        var evaluation = job.IsParameterized ? null : Evaluation.For(job, EvalTrigger.JobDeregister, LeaderSession.NewId(), call.Now);
        var index = await call.ApplyAsync(new DeregisterJob(call.JobKey, call.Query("purge") is "true" or "1", evaluation));
        await call.WroteAsync(index, new JsonObject { ["EvalID"] = evaluation?.ID ?? "", ["EvalCreateIndex"] = evaluation is null ? 0 : index, ["JobModifyIndex"] = index, ["VolumeEvalID"] = "", ["VolumeEvalIndex"] = 0 });
    }

    public static async Task EvaluateAsync(ApiCall call)
    {
        var state = call.State;
        var job = state.Job(call.JobKey) ?? throw ServerException.Failed(NotFound);
        if (job.IsParameterized) throw ServerException.Failed("can't evaluate parameterized job");
        var force = !call.RawBody.IsEmpty && call.Body()["EvalOptions"] is JsonObject options && options["ForceReschedule"]?.GetValueKind() == JsonValueKind.True;
        var evaluation = Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), call.Now);
        var forced = force
            ? state.AllocationsOf(job.Key).Where(a => a.ClientStatus == ClientStatus.Failed && a.DesiredStatus == DesiredStatus.Run).ToDictionary(a => a.ID, _ => new DesiredTransition { ForceReschedule = true }, StringComparer.Ordinal)
            : [];
        var index = await call.ApplyAsync(new UpdateDesiredTransitions(forced, [evaluation]));
        await call.WroteAsync(index, new JsonObject { ["EvalID"] = evaluation.ID, ["EvalCreateIndex"] = index, ["JobModifyIndex"] = job.JobModifyIndex });
    }

    public static Task ParseAsync(ApiCall call)
    {
        var body = call.Body();
        if (body["JobHCL"]?.GetValueKind() != JsonValueKind.String) throw ServerException.Invalid("Job spec is empty");
        var job = HclJob.Parse((string)body["JobHCL"]!) switch
        {
            HclReading.Read read => read.Job,
            HclReading.Refused refused => throw ServerException.Invalid(refused.Text),
            var other => throw new InvalidOperationException(other.ToString()),
        };
        return call.JsonAsync(body["Canonicalize"]?.GetValueKind() == JsonValueKind.True ? JobReader.Canonicalize(job) : job);
    }

    public static Task ValidateAsync(ApiCall call)
    {
        if (call.Body()["Job"] is not JsonObject json) throw ServerException.Invalid("Job must be specified");
        var reading = JobReader.Read(json);
        var complaints = (reading as JobReading.Refused)?.Complaints.Select(c => c.ToString()).ToList() ?? [];
        return call.JsonAsync(new JsonObject
        {
            ["DriverConfigValidated"] = true,
            ["ValidationErrors"] = complaints.Count > 0 ? new JsonArray([.. complaints.Select(c => (JsonNode)JsonValue.Create(c))]) : null,
            ["Error"] = complaints.Count > 0 ? AgentApi.Several(complaints) : "",
            ["Warnings"] = string.Join('\n', (reading as JobReading.Read)?.Warnings ?? []),
        });
    }

    public static async Task AllocationsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => Newest(s.AllocationsOf(call.JobKey).Select(a => a.ModifyIndex), s.Allocations.Index));
        await call.ListAsync(state.AllocationsOf(call.JobKey).Select(a => Stubs.Allocation(a, resources: false)));
    }

    public static async Task EvaluationsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => Newest(s.EvaluationsOf(call.JobKey).Select(e => e.ModifyIndex), s.Evaluations.Index));
        await call.ListAsync(state.EvaluationsOf(call.JobKey).OrderByDescending(e => e.CreateIndex).Select(e => Stubs.Of(e, StateJson.Default.Evaluation)));
    }

    public static async Task DeploymentsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Deployments.Index);
        await call.ListAsync(state.DeploymentsOf(call.JobKey).OrderByDescending(d => d.CreateIndex).Select(d => Stubs.Of(d, StateJson.Default.Deployment)));
    }

    public static async Task LatestDeploymentAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Deployments.Index);
        await call.JsonAsync(state.LatestDeploymentOf(call.JobKey) is { } latest ? Stubs.Of(latest, StateJson.Default.Deployment) : null);
    }

    public static async Task SummaryAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.SummaryOf(call.JobKey)?.ModifyIndex ?? s.JobSummaries.Index);
        await call.JsonAsync(Stubs.Summary(call.JobKey, state) ?? throw ServerException.NotFound(NotFound), StateJson.Default.JobSummary);
    }

    public static async Task VersionsAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.JobVersions.Index);
        var versions = state.VersionsOf(call.JobKey);
        if (versions.Count == 0) throw ServerException.NotFound("job versions not found");
        await call.JsonAsync(new JsonObject { ["Versions"] = new JsonArray([.. versions.Select(v => (JsonNode)Stubs.Of(v, JobJson.Default.Job))]), ["Diffs"] = null });
    }

    /// <exception cref="ServerException">Every reason at once.</exception>
    public static (Job Job, IReadOnlyList<string> Warnings) Read(ApiCall call, JsonObject body)
    {
        if (body["Job"] is not JsonObject json) throw ServerException.Invalid("Job must be specified");
        if (json["ID"]?.GetValueKind() != JsonValueKind.String || ((string)json["ID"]!).Length == 0) throw ServerException.Invalid("Job ID hasn't been provided");
        json = (JsonObject)json.DeepClone();
        if (call.Query("namespace") is { Length: > 0 } ns && json["Namespace"] is null) json["Namespace"] = ns;
        return JobReader.Read(json) switch
        {
            JobReading.Read read => (read.Job, read.Warnings),
            JobReading.Refused refused => throw ServerException.Failed(AgentApi.Several([.. refused.Complaints.Select(c => c.ToString())])),
            var other => throw new InvalidOperationException(other.ToString()),
        };
    }

    private static void RefuseTransition(Job? old, Job job)
    {
        if (old is null) return;
        if (old.IsParameterized && !job.IsParameterized) throw ServerException.Failed("cannot update parameterized job to being non-parameterized");
        if (job.IsParameterized && !old.IsParameterized) throw ServerException.Failed("cannot update non-parameterized job to being parameterized");
        if (old.Dispatched != job.Dispatched) throw ServerException.Failed("field 'Dispatched' is read-only");
    }

    /// <summary>The newest of a few rows; the table's index where there is none.</summary>
    private static long Newest(IEnumerable<long> rows, long table) => rows.DefaultIfEmpty(table).Max();
}
