// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Cluster;

namespace Nomadstack.Nomad;

/// <summary>
/// Finds everything in a server job that would make a server need a server, or would let Nomad remove more than one. Reads a job as we write it
/// and as Nomad returns it, with the fields that Nomad fills in. A job without complaints can start when no server runs.
/// </summary>
internal static class ServerJobLint
{
    /// <summary>All complaints; empty if the job is good.</summary>
    public static IReadOnlyList<Problem> Check(string jobJson)
    {
        try
        {
            return JsonNode.Parse(jobJson) is JsonObject job
                ? [.. OfJob(job).Select(c => c.ToProblem((string?)job["ID"] ?? "the job"))]
                : [new Complaint("not-a-job", "is not a JSON object", "nothing could be checked", "give the job itself, as {\"ID\": …}").ToProblem("The job")];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return [new Complaint("not-a-job", "cannot be read", e.Message, "give the job itself, as {\"ID\": …}").ToProblem("The job")];
        }
    }

    private static IEnumerable<Complaint> OfJob(JsonObject job)
    {
        if (Text(job, "Type") != "service")
            yield return new("type", "is not of type service", "only a service job moves off a drained or dead node", "set Type to service");
        if (Has(job, "Periodic") || Has(job, "ParameterizedJob") || Has(job, "Multiregion"))
            yield return new("type", "is periodic, parameterized or multi-region", "each run would need a server to start it", "remove that block");
        if (Text(job, "ConsulToken").Length > 0 || Text(job, "VaultToken").Length > 0)
            yield return new("token", "has a token", "a service that needs this server would check the token", "remove ConsulToken and VaultToken");
        var constraints = Nodes(job, "Constraints").Concat(Objects(job, "TaskGroups").SelectMany(g => Nodes(g, "Constraints").Concat(Objects(g, "Tasks").SelectMany(t => Nodes(t, "Constraints"))))).OfType<JsonObject>().ToList();
        if (!constraints.Any(c => Text(c, "Operand") == "distinct_hosts" && Text(c, "RTarget") != "false"))
            yield return new("distinct-hosts", "may place two servers on one host", "both would fail with that host", "add the constraint distinct_hosts");
        if (constraints.Any(c => Circular(Text(c, "LTarget")) || Circular(Text(c, "RTarget"))))
            yield return new("constraint", "has a constraint on Consul or Vault", "a node detects them only while they run, so no server could be placed while they are down", "remove the constraint");
        foreach (var complaint in OfUpdate(job)) yield return complaint;

        var groups = Objects(job, "TaskGroups").ToList();
        if (groups.Count != 1 || Objects(groups[0], "Tasks").Count() != 1)
            yield return new("shape", "does not have exactly one group with one task", "if a second task failed or waited, the server would too", "keep only the server's task");
        foreach (var complaint in groups.SelectMany(OfGroup)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfGroup(JsonObject group)
    {
        if (Has(group, "Services"))
            yield return new("service", "registers a service", "before the task starts, the registration needs Nomad's servers or Consul", "remove the service block; peers find servers through the agents");
        if (Has(group, "Volumes"))
            yield return new("volume", "mounts a volume", "a server must grant a volume; the data of a server belongs to its node", "remove the volume block");
        if (Has(group, "StopAfterClientDisconnect") || group["Disconnect"] is JsonObject disconnect && Has(disconnect, "StopOnClientAfter"))
            yield return new("stop-on-disconnect", "stops when its client loses the servers", "in an outage every client loses them, so the last servers would stop", "remove stop_after_client_disconnect and stop_on_client_after");
        if (Has(group, "Scaling"))
            yield return new("scaling", "can be scaled by others", "the number of servers follows the number of nodes, one voter at a time", "remove the scaling block");
        if (NamesConsul(group))
            yield return new("consul", "has a consul block", "the task would need a Consul identity, which a server must sign", "remove the consul block");
        foreach (var complaint in OfRestart(group)) yield return complaint;
        if (group["ReschedulePolicy"] is not JsonObject reschedule || !Flag(reschedule, "Unlimited"))
            yield return new("reschedule", "has a limit for rescheduling", "after the last attempt nobody would replace the server", "set reschedule.unlimited to true");
        if (group["EphemeralDisk"] is JsonObject disk && (Flag(disk, "Sticky") || Flag(disk, "Migrate")))
            yield return new("ephemeral-disk", "migrates its disk", "a new server would wait for the old node, which may be dead", "set ephemeral_disk.sticky and migrate to false");
        foreach (var complaint in OfUpdate(group)) yield return complaint;
        if (group["Migrate"] is JsonObject migrate && Number(migrate, "MaxParallel", 1) != 1)
            yield return new("migrate", "lets a drain move several servers at once", "the quorum would be lost", "set migrate.max_parallel to 1");
        foreach (var complaint in OfNetwork(group)) yield return complaint;
        foreach (var complaint in Objects(group, "Tasks").SelectMany(OfTask)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfTask(JsonObject task)
    {
        if (Text(task, "Driver") != "nomadstack")
            yield return new("driver", "is not run by the nomadstack driver", "a task of another driver waits for a server after its client restarts", "set the driver to nomadstack");
        if (Has(task, "Templates"))
            yield return new("template", "has a template", "templates may wait for Consul, Vault or Nomad itself before the task starts", "remove it; the agent writes the server's configuration");
        if (Has(task, "Artifacts"))
            yield return new("artifact", "downloads an artifact", "a new server could not be placed while the source is down", "remove it; programs belong to the node");
        if (Has(task, "Vault"))
            yield return new("vault", "has a vault block", "the task would wait for Vault", "remove the vault block");
        if (Has(task, "Consul"))
            yield return new("consul", "has a consul block", "the task would need a Consul identity, which a server must sign", "remove the consul block");
        // Nomad gives every task a default identity and signs it when the allocation is placed. It does no harm as long as the task does not receive it.
        if (Has(task, "Identities") || task["Identity"] is JsonObject identity && (Flag(identity, "Env") || Flag(identity, "File")))
            yield return new("identity", "asks for a workload identity", "a server must sign an expired identity again before the task starts", "remove the identity block");
        if (Has(task, "Secrets"))
            yield return new("secret", "has a secret block", "the secret is fetched before the task starts", "remove the secret block");
        if (Has(task, "Services"))
            yield return new("service", "registers a service", "before the task starts, the registration needs Nomad's servers or Consul", "remove the service block; peers find servers through the agents");
        if (Has(task, "VolumeMounts") || Has(task, "CSIPluginConfig"))
            yield return new("volume", "mounts a volume", "a server must grant a volume; the data of a server belongs to its node", "remove the volume block");
        if (Has(task, "DispatchPayload") || Has(task, "Lifecycle") || Has(task, "ScalingPolicies") || Has(task, "Schedule"))
            yield return new("shape", "is not a plain long-running task", "a server runs from its first start until it is moved", "remove dispatch_payload, lifecycle, scaling and schedule");
        if (task["RestartPolicy"] is JsonObject) foreach (var complaint in OfRestart(task)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfRestart(JsonObject owner)
    {
        if (owner["RestartPolicy"] is not JsonObject restart || Text(restart, "Mode") != "delay")
            yield return new("restart", "gives up after some restarts", "if no server is left, nobody would start it again", "set restart.mode to delay");
    }

    private static IEnumerable<Complaint> OfUpdate(JsonObject owner)
    {
        if (owner["Update"] is not JsonObject update) yield break;
        // If only the group has an update block, the job has one with all zeros.
        if (Number(update, "MaxParallel", 1) > 1)
            yield return new("update", "updates several servers at a time", "the quorum would be lost", "set update.max_parallel to 1");
        if (Number(update, "Canary", 0) != 0 || Flag(update, "AutoPromote"))
            yield return new("update", "updates with canaries", "canaries would be extra voters", "set update.canary to 0");
        if (Flag(update, "AutoRevert"))
            yield return new("update", "reverts automatically", "raft data does not survive a downgrade", "set update.auto_revert to false");
        if (Text(update, "HealthCheck") == "checks")
            yield return new("update", "counts as healthy by its service checks", "it has no services, because they need a server", "set update.health_check to task_states");
    }

    private static IEnumerable<Complaint> OfNetwork(JsonObject group)
    {
        var networks = Objects(group, "Networks").ToList();
        if (networks.Any(n => Text(n, "Mode") is not ("" or "host")) || networks.Any(n => Has(n, "DynamicPorts")) || !networks.Any(n => Has(n, "ReservedPorts")))
            yield return new("network", "has no fixed address", "raft knows a server by its address, so the address must stay the same", "use host networking with static ports only");
    }

    // Nomad before 1.10 gives every group a consul block, which since 1.7 names the default cluster. Without a service or template it has no effect.
    private static bool NamesConsul(JsonObject group) =>
        group["Consul"] is JsonObject consul && (Text(consul, "Namespace").Length > 0 || Text(consul, "Partition").Length > 0 || Text(consul, "Cluster") is not ("" or "default"));

    private static bool Circular(string target) => target.Contains("attr.consul", StringComparison.Ordinal) || target.Contains("attr.vault", StringComparison.Ordinal);

    /// <summary>Present and not empty: neither null nor an empty list.</summary>
    private static bool Has(JsonObject owner, string name) => owner[name] is { } node && node is not JsonArray { Count: 0 };

    private static string Text(JsonObject owner, string name) => (string?)owner[name] ?? "";

    private static bool Flag(JsonObject owner, string name) => (bool?)owner[name] ?? false;

    private static long Number(JsonObject owner, string name, long otherwise) => (long?)owner[name] ?? otherwise;

    private static IEnumerable<JsonNode?> Nodes(JsonObject owner, string name) => owner[name] as JsonArray ?? [];

    private static IEnumerable<JsonObject> Objects(JsonObject owner, string name) => Nodes(owner, name).OfType<JsonObject>();

    private sealed record Complaint(string Code, string What, string Why, string Fix)
    {
        public Problem ToProblem(string job) => new("job-lint/" + Code, $"{job} {What}.", Capital(Why), Capital(Fix)) { Unsafe = true };

        private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..] + ".";
    }
}
