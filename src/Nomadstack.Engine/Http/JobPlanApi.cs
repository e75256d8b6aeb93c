// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What would happen if a job were registered: tried on a copy of the state, and nothing written.</summary>
internal static class JobPlanApi
{
    private const string Added = "Added", Deleted = "Deleted", Edited = "Edited", None = "None";

    public static Task PlanAsync(ApiCall call)
    {
        var body = call.Body();
        var job = JobsApi.Read(call, body);
        if (job.ID != call.Id) throw ServerException.Invalid("Job ID does not match");
        var (state, now) = (call.State, call.Now);
        var existing = state.Job(job.Key);
        var evaluation = Evaluation.For(job, EvalTrigger.JobRegister, LeaderSession.NewId(), now);
        var (then, _) = StateChange.Apply(state, state.Index + 1, new RegisterJob(job with { SubmitTime = UnixNanoseconds.Of(now) }, evaluation, null));
        var attempt = SchedulerRun.Attempt(new SchedulingInput(then, evaluation, now, LeaderSession.NewId, Random.Shared) { MaxPlacements = int.MaxValue });

        var failed = new JsonObject();
        foreach (var (group, metric) in attempt.Failed) failed[group] = Stubs.Of(metric, StateJson.Default.AllocMetric);
        var updates = new JsonObject();
        foreach (var (group, desired) in attempt.Desired) updates[group] = Stubs.Of(desired, PlanJson.Default.DesiredUpdates);
        return call.JsonAsync(new JsonObject
        {
            ["Annotations"] = new JsonObject { ["DesiredTGUpdates"] = updates, ["PreemptedAllocs"] = null },
            ["FailedTGAllocs"] = failed.Count > 0 ? failed : null,
            ["JobModifyIndex"] = existing?.JobModifyIndex ?? 0,
            ["CreatedEvals"] = null,
            ["Diff"] = (bool)body["Diff"]! ? Diff(existing, then.Job(job.Key)!, attempt.Desired) : null,
            ["NextPeriodicLaunch"] = "0001-01-01T00:00:00Z",
            ["Warnings"] = "",
            ["Index"] = 0,
            ["LastContact"] = 0,
            ["KnownLeader"] = false,
        });
    }

    /// <param name="desired">What the scheduler would do for it, by group; null when nobody asked.</param>
    public static JsonObject Diff(Job? before, Job after, IReadOnlyDictionary<string, DesiredUpdates>? desired = null)
    {
        var groups = new JsonArray();
        var names = (before?.TaskGroups ?? []).Concat(after.TaskGroups).Select(g => g.Name).Distinct().Order(StringComparer.Ordinal);
        foreach (var name in names) groups.Add((JsonNode)GroupDiff(name, before?.Group(name), after.Group(name), desired?.GetValueOrDefault(name)));
        var fields = Fields(Json(before, JobJson.Default.Job), Json(after, JobJson.Default.Job),
            "TaskGroups", "Status", "StatusDescription", "Stable", "Version", "SubmitTime", "CreateIndex", "ModifyIndex", "JobModifyIndex", "Update");
        return new JsonObject
        {
            ["Type"] = before is null ? Added : fields.Count > 0 || groups.Any(g => (string?)g!["Type"] != None) ? Edited : None,
            ["ID"] = after.ID,
            ["Fields"] = fields,
            ["Objects"] = null,
            ["TaskGroups"] = groups,
        };
    }

    private static JsonObject GroupDiff(string name, TaskGroup? before, TaskGroup? after, DesiredUpdates? desired)
    {
        var tasks = new JsonArray();
        foreach (var task in (before?.Tasks ?? []).Concat(after?.Tasks ?? []).Select(t => t.Name).Distinct().Order(StringComparer.Ordinal))
        {
            var changed = Fields(Json(before?.Task(task), JobJson.Default.JobTask), Json(after?.Task(task), JobJson.Default.JobTask));
            tasks.Add((JsonNode)new JsonObject { ["Type"] = TypeOf(before?.Task(task), after?.Task(task), changed.Count > 0), ["Name"] = task, ["Fields"] = changed, ["Objects"] = null, ["Annotations"] = null });
        }

        var fields = Fields(Json(before, JobJson.Default.TaskGroup), Json(after, JobJson.Default.TaskGroup), "Tasks");
        return new JsonObject
        {
            ["Type"] = TypeOf(before, after, fields.Count > 0 || tasks.Any(t => (string?)t!["Type"] != None)),
            ["Name"] = name,
            ["Fields"] = fields,
            ["Objects"] = null,
            ["Tasks"] = tasks,
            ["Updates"] = Updates(desired),
        };
    }

    private static JsonObject Updates(DesiredUpdates? desired)
    {
        if (desired is null) return [];
        (string What, int Number)[] counts =
        [
            ("ignore", desired.Ignore), ("create", desired.Place), ("migrate", desired.Migrate), ("destroy", desired.Stop),
            ("in-place update", desired.InPlaceUpdate), ("create/destroy update", desired.DestructiveUpdate),
        ];
        return new(counts.Where(c => c.Number > 0).Select(c => KeyValuePair.Create(c.What, (JsonNode?)c.Number)));
    }

    private static string TypeOf(object? before, object? after, bool changed) => before is null ? Added : after is null ? Deleted : changed ? Edited : None;

    private static JsonObject? Json<T>(T? value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class => value is null ? null : Stubs.Of(value, type);

    /// <summary>Every single value that differs, nested ones by their path.</summary>
    private static JsonArray Fields(JsonObject? before, JsonObject? after, params IReadOnlyList<string> without)
    {
        foreach (var name in without)
        {
            before?.Remove(name);
            after?.Remove(name);
        }

        var (old, now) = (Flat(before), Flat(after));
        var fields = new JsonArray();
        foreach (var name in old.Keys.Union(now.Keys).Order(StringComparer.Ordinal))
        {
            var (from, to) = (old.GetValueOrDefault(name, ""), now.GetValueOrDefault(name, ""));
            if (from != to) fields.Add((JsonNode)new JsonObject { ["Type"] = from.Length == 0 ? Added : to.Length == 0 ? Deleted : Edited, ["Name"] = name, ["Old"] = from, ["New"] = to, ["Annotations"] = null });
        }

        return fields;
    }

    private static Dictionary<string, string> Flat(JsonNode? node, string path = "")
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var inner = node switch
        {
            JsonObject json => json.Select(p => (Path: path.Length == 0 ? p.Key : $"{path}[{p.Key}]", p.Value)),
            JsonArray list => list.Select((item, i) => (Path: $"{path}[{i}]", Value: item)),
            _ => [],
        };
        if (node is JsonValue) values[path] = node.GetValueKind() == JsonValueKind.String ? (string)node! : node.ToJsonString();
        foreach (var (at, value) in inner)
            foreach (var (name, text) in Flat(value, at)) values[name] = text;
        return values;
    }
}
