// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Jobs;

/// <summary>From what a client sends to a job the scheduler can work with, or the reasons why not.</summary>
internal static class JobReader
{
    /// <summary>The canonical JSON of a job as <c>/v1/jobs/parse</c> answers it; changes <paramref name="job"/>.</summary>
    public static JsonObject Canonicalize(JsonObject job)
    {
        JobDefaults.Fill(job);
        return job;
    }

    /// <param name="client">The job itself, without the envelope it was sent in.</param>
    public static JobReading Read(JsonObject client)
    {
        var (json, complaints) = JobShape.Of(client, JobSchema.Job);
        if (complaints.Count > 0) return new JobReading.Refused(complaints);
        JobDefaults.Fill(json);
        StoredShape(json);

        Job job;
        try
        {
            job = json.Deserialize(JobJson.Default.Job)!;
        }
        catch (JsonException e)
        {
            // Numbers that are whole but too large for their field, and server-set fields of a wrong kind.
            return new JobReading.Refused([new JobComplaint(e.Path?.TrimStart('$', '.') ?? "", "has a value that does not fit")]);
        }

        var invalid = JobValidation.Complaints(job);
        return invalid.Count > 0 ? new JobReading.Refused(invalid) : new JobReading.Read(job);
    }

    /// <summary>How a server keeps a job, where that differs from what it was sent.</summary>
    private static void StoredShape(JsonObject job)
    {
        // Groups have taken over what the job says; of the job's own, Nomad keeps just these two.
        var rolling = job["Update"] is JsonObject update && update["MaxParallel"]!.ToJsonString() != "0" ? update : null;
        job["Update"] = new JsonObject
        {
            ["Stagger"] = rolling?["Stagger"]?.DeepClone() ?? 0,
            ["MaxParallel"] = rolling?["MaxParallel"]?.DeepClone() ?? 0,
            ["HealthCheck"] = "",
        };
        NullWhenEmpty(job, "Constraints", "Meta");
        if (job["ParameterizedJob"] is JsonObject parameterized && (string?)parameterized["Payload"] is "") parameterized["Payload"] = ParameterizedJob.Optional;
        job["TaskGroups"] ??= new JsonArray();
        foreach (var group in Objects(job["TaskGroups"]))
        {
            group["Tasks"] ??= new JsonArray();
            NullWhenEmpty(group, "Constraints", "Meta", "Networks");
            foreach (var network in Objects(group["Networks"])) StoredNetwork(network);
            foreach (var task in Objects(group["Tasks"]))
            {
                NullWhenEmpty(task, "Constraints", "Meta", "Env", "Config");
                var resources = (JsonObject)task["Resources"]!;
                foreach (var field in new[] { "Cores", "DiskMB", "IOPS", "MemoryMaxMB" }) resources[field] ??= 0;
            }
        }
    }

    private static void StoredNetwork(JsonObject network)
    {
        network["MBits"] ??= 0;
        NullWhenEmpty(network, "DynamicPorts", "ReservedPorts");
        foreach (var port in Objects(network["DynamicPorts"]).Concat(Objects(network["ReservedPorts"])))
            if ((string?)port["HostNetwork"] is null or "") port["HostNetwork"] = NetworkResource.DefaultHostNetwork;
    }

    private static void NullWhenEmpty(JsonObject owner, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (owner[name] is JsonArray { Count: 0 } or JsonObject { Count: 0 }) owner[name] = null;
    }

    private static IEnumerable<JsonObject> Objects(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();
}
