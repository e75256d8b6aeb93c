// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Cluster;

namespace Nomadstack.Nomad;

/// <summary>
/// Finds in a server job whatever would make a server need a server, or would let Nomad take more than one away. Reads a job as we render it
/// and as Nomad gives it back, with the fields it fills in. A job without complaints starts again with no server anywhere.
/// </summary>
internal static class ServerJobLint
{
    /// <summary>Every complaint at once; empty when the job is sound.</summary>
    public static IReadOnlyList<Problem> Check(string jobJson)
    {
        try
        {
            return JsonNode.Parse(jobJson) is JsonObject job
                ? [.. OfJob(job).Select(c => c.ToProblem((string?)job["ID"] ?? "the job"))]
                : [new Complaint("not-a-job", "is no JSON object", "nothing could be checked", "give the job itself, as {\"ID\": …}").ToProblem("The job")];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return [new Complaint("not-a-job", "cannot be read", e.Message, "give the job itself, as {\"ID\": …}").ToProblem("The job")];
        }
    }

    private static IEnumerable<Complaint> OfJob(JsonObject job)
    {
        if (Text(job, "Type") != "service")
            yield return new("type", "is not of type service", "only a service job moves off a node that is drained or dead", "set Type to service");
        if (Has(job, "Periodic") || Has(job, "ParameterizedJob") || Has(job, "Multiregion"))
            yield return new("type", "is periodic, parameterized or multi-region", "each run would need a server to start it", "remove that block");
        if (Text(job, "ConsulToken").Length > 0 || Text(job, "VaultToken").Length > 0)
            yield return new("token", "carries a token", "it would be checked against a service that this server helps to run", "remove ConsulToken and VaultToken");
        var constraints = Nodes(job, "Constraints").Concat(Objects(job, "TaskGroups").SelectMany(g => Nodes(g, "Constraints").Concat(Objects(g, "Tasks").SelectMany(t => Nodes(t, "Constraints"))))).OfType<JsonObject>().ToList();
        if (!constraints.Any(c => Text(c, "Operand") == "distinct_hosts" && Text(c, "RTarget") != "false"))
            yield return new("distinct-hosts", "may place two servers on one host", "both would go with that host", "add the constraint distinct_hosts");
        if (constraints.Any(c => Circular(Text(c, "LTarget")) || Circular(Text(c, "RTarget"))))
            yield return new("constraint", "has a constraint on Consul or Vault", "a node finds them only while they run, and a server could then not be placed when they are down", "remove the constraint");
        foreach (var complaint in OfUpdate(job)) yield return complaint;

        var groups = Objects(job, "TaskGroups").ToList();
        if (groups.Count != 1 || Objects(groups[0], "Tasks").Count() != 1)
            yield return new("shape", "has not exactly one group with one task", "a second task could fail or wait, and take the server with it", "keep the server's task alone");
        foreach (var complaint in groups.SelectMany(OfGroup)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfGroup(JsonObject group)
    {
        if (Has(group, "Services"))
            yield return new("service", "registers a service", "registration asks Nomad's servers or Consul before the task may start", "remove the service block; peers find servers through the agents");
        if (Has(group, "Volumes"))
            yield return new("volume", "mounts a volume", "a volume is claimed from a server; a server's data belongs to its node", "remove the volume block");
        if (Has(group, "StopAfterClientDisconnect") || group["Disconnect"] is JsonObject disconnect && Has(disconnect, "StopOnClientAfter"))
            yield return new("stop-on-disconnect", "stops when its client loses the servers", "after an outage every client has lost them, so the last servers would be stopped", "remove stop_after_client_disconnect and disconnect.stop_on_client_after");
        if (Has(group, "Scaling"))
            yield return new("scaling", "may be scaled by others", "the number of servers follows the number of nodes, one voter at a time", "remove the scaling block");
        if (NamesConsul(group))
            yield return new("consul", "has a consul block", "it makes the task ask for a Consul identity, which a server signs", "remove the consul block");
        foreach (var complaint in OfRestart(group)) yield return complaint;
        if (group["ReschedulePolicy"] is not JsonObject reschedule || !Flag(reschedule, "Unlimited"))
            yield return new("reschedule", "is not rescheduled without limit", "after the last attempt nobody would replace the server", "set reschedule.unlimited to true");
        if (group["EphemeralDisk"] is JsonObject disk && (Flag(disk, "Sticky") || Flag(disk, "Migrate")))
            yield return new("ephemeral-disk", "carries its disk along", "a new server would wait for the old node, which may be dead, to send it", "set ephemeral_disk.sticky and migrate to false");
        foreach (var complaint in OfUpdate(group)) yield return complaint;
        if (group["Migrate"] is JsonObject migrate && Number(migrate, "MaxParallel", 1) != 1)
            yield return new("migrate", "lets a drain move several servers at once", "quorum would go with them", "set migrate.max_parallel to 1");
        foreach (var complaint in OfNetwork(group)) yield return complaint;
        foreach (var complaint in Objects(group, "Tasks").SelectMany(OfTask)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfTask(JsonObject task)
    {
        if (Text(task, "Driver") != "nomadstack")
            yield return new("driver", "is not run by the nomadstack driver", "another driver's task waits for a server when its client starts anew", "set the driver to nomadstack");
        if (Has(task, "Templates"))
            yield return new("template", "has a template", "templates may wait for Consul, Vault or Nomad itself before the task starts", "remove it; the agent writes the server's configuration");
        if (Has(task, "Artifacts"))
            yield return new("artifact", "downloads an artifact", "a new server could not be placed while the source is down", "remove it; programs belong to the node");
        if (Has(task, "Vault"))
            yield return new("vault", "has a vault block", "the task would wait for Vault", "remove the vault block");
        if (Has(task, "Consul"))
            yield return new("consul", "has a consul block", "it makes the task ask for a Consul identity, which a server signs", "remove the consul block");
        // Nomad itself gives every task a default identity; it is signed when the allocation is placed, and harmless while the task does not receive it.
        if (Has(task, "Identities") || task["Identity"] is JsonObject identity && (Flag(identity, "Env") || Flag(identity, "File")))
            yield return new("identity", "asks for a workload identity", "an expired one is signed anew by a server before the task may start", "remove the identity block");
        if (Has(task, "Secrets"))
            yield return new("secret", "has a secret block", "it is fetched before the task starts", "remove the secret block");
        if (Has(task, "Services"))
            yield return new("service", "registers a service", "registration asks Nomad's servers or Consul before the task may start", "remove the service block; peers find servers through the agents");
        if (Has(task, "VolumeMounts") || Has(task, "CSIPluginConfig"))
            yield return new("volume", "mounts a volume", "a volume is claimed from a server; a server's data belongs to its node", "remove the volume block");
        if (Has(task, "DispatchPayload") || Has(task, "Lifecycle") || Has(task, "ScalingPolicies") || Has(task, "Schedule"))
            yield return new("shape", "is not one plain long-running task", "a server runs from its first start until it is moved", "remove dispatch_payload, lifecycle, scaling and schedule");
        if (task["RestartPolicy"] is JsonObject) foreach (var complaint in OfRestart(task)) yield return complaint;
    }

    private static IEnumerable<Complaint> OfRestart(JsonObject owner)
    {
        if (owner["RestartPolicy"] is not JsonObject restart || Text(restart, "Mode") != "delay")
            yield return new("restart", "gives up after some restarts", "with no server left, nobody would start it again", "set restart.mode to delay");
    }

    private static IEnumerable<Complaint> OfUpdate(JsonObject owner)
    {
        if (owner["Update"] is not JsonObject update) yield break;
        // A job has an update block with zeros throughout when only its group sets one.
        if (Number(update, "MaxParallel", 1) > 1)
            yield return new("update", "is updated several servers at a time", "quorum would go with them", "set update.max_parallel to 1");
        if (Number(update, "Canary", 0) != 0 || Flag(update, "AutoPromote"))
            yield return new("update", "is updated with canaries", "they would be voters beyond the desired number", "set update.canary to 0");
        if (Flag(update, "AutoRevert"))
            yield return new("update", "reverts by itself", "going back to an older version is no upgrade that raft data survives", "set update.auto_revert to false");
        if (Text(update, "HealthCheck") == "checks")
            yield return new("update", "counts as healthy by its service checks", "it has no services, as they need a server", "set update.health_check to task_states");
    }

    private static IEnumerable<Complaint> OfNetwork(JsonObject group)
    {
        var networks = Objects(group, "Networks").ToList();
        if (networks.Any(n => Text(n, "Mode") is not ("" or "host")) || networks.Any(n => Has(n, "DynamicPorts")) || !networks.Any(n => Has(n, "ReservedPorts")))
            yield return new("network", "has no fixed address", "a server is known to raft by its address and must return at it", "use host networking with static ports only");
    }

    // Nomad before 1.10 gives every group a consul block, and since 1.7 names the only cluster there is in it; without a service or template that asks for nothing.
    private static bool NamesConsul(JsonObject group) =>
        group["Consul"] is JsonObject consul && (Text(consul, "Namespace").Length > 0 || Text(consul, "Partition").Length > 0 || Text(consul, "Cluster") is not ("" or "default"));

    private static bool Circular(string target) => target.Contains("attr.consul", StringComparison.Ordinal) || target.Contains("attr.vault", StringComparison.Ordinal);

    /// <summary>Present with a content: neither null nor an empty list.</summary>
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
