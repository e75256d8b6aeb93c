// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Http.Calls;
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
        var meta = call.Flag("meta");
        var jobs = state.Jobs.All.Where(j => call.Wants(j.Namespace));
        await call.ListAsync(jobs, j => j.Key.ToString(), j => j.ID, j => Stubs.Of(j, JobJson.Default.Job), j => Stubs.Job(j, state, meta));
    }

    public static async Task GetAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.Job(call.JobKey)?.ModifyIndex ?? s.Jobs.Index);
        await call.JsonAsync(state.Job(call.JobKey) ?? throw ServerException.NotFound(NotFound), JobJson.Default.Job);
    }

    public static async Task RegisterAsync(ApiCall call)
    {
        var body = call.Body();
        var job = Read(call, body);
        if (call.Parts.Count > 0 && job.ID != call.Id) throw ServerException.Invalid("Job ID does not match");
        var old = call.State.Job(job.Key);
        RefuseTransition(old, job);
        if ((bool)body["PreserveCounts"]! && old is not null)
            job = Checked(job with { TaskGroups = [.. job.TaskGroups.Select(g => old.Group(g.Name) is { } was ? g with { Count = was.Count } : g)] });
        await WriteAsync(call, job, (bool)body["EnforceIndex"]! ? (long)body["JobModifyIndex"]! : null, Priority((long)body["EvalPriority"]!, "EvalPriority"));
    }

    /// <summary>Writes a version of a job and answers as to its registration.</summary>
    /// <param name="priority">Of the evaluation; null for the job's.</param>
    public static async Task WriteAsync(ApiCall call, Job job, long? enforced = null, int? priority = null)
    {
        var evaluation = job.IsParameterized ? null : Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), call.Now) with { Priority = priority ?? job.Priority };
        var index = await call.ApplyAsync(new RegisterJob(job with { SubmitTime = UnixNanoseconds.Of(call.Now) }, evaluation, enforced));
        await call.WroteAsync(index, new JsonObject
        {
            ["EvalID"] = evaluation?.ID ?? "",
            ["EvalCreateIndex"] = evaluation is null ? 0 : index,
            ["JobModifyIndex"] = call.State.Job(job.Key)?.JobModifyIndex ?? index,
            ["Warnings"] = "",
        });
    }

    public static async Task DeregisterAsync(ApiCall call)
    {
        var asked = 0L;
        if (call.Query("eval_priority") is { Length: > 0 } text && !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out asked))
            throw ServerException.Invalid($"eval_priority: \"{text}\" is not a number");
        var (priority, purge) = (Priority(asked, "eval_priority"), call.Flag("purge"));
        // An evaluation comes even for a job that is unknown: allocations of it may still be about.
        var job = call.State.Job(call.JobKey) ?? new Job { ID = call.Id, Namespace = call.Namespace, Priority = 50 };
        var evaluation = job.IsParameterized ? null : Evaluation.For(job, EvalTrigger.JobDeregister, LeaderSession.NewId(), call.Now) with { Priority = priority ?? job.Priority };
        var index = await call.ApplyAsync(new DeregisterJob(call.JobKey, purge, evaluation));
        await call.WroteAsync(index, new JsonObject { ["EvalID"] = evaluation?.ID ?? "", ["EvalCreateIndex"] = evaluation is null ? 0 : index, ["JobModifyIndex"] = index, ["VolumeEvalID"] = "", ["VolumeEvalIndex"] = 0 });
    }

    public static async Task EvaluateAsync(ApiCall call)
    {
        var state = call.State;
        var job = state.Job(call.JobKey) ?? throw ServerException.Failed(NotFound);
        if (job.IsParameterized) throw ServerException.Failed("can't evaluate parameterized job");
        var force = call.BodyIfAny()["EvalOptions"] is JsonObject options && (bool)options["ForceReschedule"]!;
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
        if ((string?)body["JobHCL"] is not { Length: > 0 } text) throw ServerException.Invalid("Job spec is empty");
        var job = HclJob.Parse(text) switch
        {
            HclReading.Read read => read.Job,
            HclReading.Refused refused => throw ServerException.Invalid(refused.Text),
            var other => throw new InvalidOperationException(other.ToString()),
        };
        return call.JsonAsync((bool)body["Canonicalize"]! ? JobReader.Canonicalize(job) : job);
    }

    public static Task ValidateAsync(ApiCall call)
    {
        if (call.Body()["Job"] is not JsonObject json) throw ServerException.Invalid("Job must be specified");
        var complaints = JobReader.Read(json) switch
        {
            JobReading.Read read when !InRegion(call, read.Job) => ["No path to region"],
            JobReading.Refused refused => refused.Complaints.Select(c => c.ToString()).ToList(),
            _ => [],
        };
        return call.JsonAsync(new JsonObject
        {
            ["DriverConfigValidated"] = true,
            ["ValidationErrors"] = complaints.Count > 0 ? new JsonArray([.. complaints.Select(c => (JsonNode)JsonValue.Create(c))]) : null,
            ["Error"] = complaints.Count > 0 ? AgentApi.Several(complaints) : "",
            ["Warnings"] = "",
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
        // Each beside the one before it; the first has none.
        var diffs = call.Flag("diffs") ? new JsonArray([.. versions.Zip(versions.Skip(1), (after, before) => (JsonNode)JobPlanApi.Diff(before, after))]) : null;
        await call.JsonAsync(new JsonObject { ["Versions"] = new JsonArray([.. versions.Select(v => (JsonNode)Stubs.Of(v, JobJson.Default.Job))]), ["Diffs"] = diffs });
    }

    /// <exception cref="ServerException">Every reason at once.</exception>
    public static Job Read(ApiCall call, JsonObject body)
    {
        if (body["Job"] is not JsonObject json) throw ServerException.Invalid("Job must be specified");
        if (Field(json, "ID") is not JsonValue id || id.GetValueKind() != JsonValueKind.String || ((string)id!).Length == 0)
            throw ServerException.Invalid("Job ID hasn't been provided");
        json = (JsonObject)json.DeepClone();
        if (call.Query("namespace") is { Length: > 0 } ns && Field(json, "Namespace") is null) json["Namespace"] = ns;
        return JobReader.Read(json) switch
        {
            // Whose namespace the query says was judged before; the job may say another.
            JobReading.Read read when !call.Holder.Grants.In(read.Job.Namespace, Capability.SubmitJob, Capability.RegisterJob) => throw Right.Denied(),
            JobReading.Read read => InRegion(call, read.Job) ? read.Job : throw Queries.NoPath(call, read.Job.Region),
            JobReading.Refused refused => throw Refused(refused.Complaints),
            var other => throw new InvalidOperationException(other.ToString()),
        };
    }

    /// <summary>Go takes the names of fields in any case.</summary>
    private static JsonNode? Field(JsonObject json, string name) => json.FirstOrDefault(f => string.Equals(f.Key, name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>A job that was changed and not read.</summary>
    /// <exception cref="ServerException">It may not be as it is now.</exception>
    public static Job Checked(Job job) => JobValidation.Complaints(job) is { Count: > 0 } complaints ? throw Refused(complaints) : job;

    /// <summary>Null when none was asked for.</summary>
    public static int? Priority(long asked, string field) => asked switch
    {
        0 => null,
        >= JobValidation.MinPriority and <= JobValidation.MaxPriority => (int)asked,
        _ => throw ServerException.Invalid($"{field}: priority must be between [{JobValidation.MinPriority}, {JobValidation.MaxPriority}]"),
    };

    private static ServerException Refused(IReadOnlyList<JobComplaint> complaints) => ServerException.Failed(AgentApi.Several([.. complaints.Select(c => c.ToString())]));

    /// <summary>Jobs that name no region say "global".</summary>
    private static bool InRegion(ApiCall call, Job job) => job.Region is "global" || job.Region == call.Agent.Config.Region;

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
