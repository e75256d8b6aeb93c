// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>
/// The job that places the servers of one product, in JSON that every Nomad from 1.1 on accepts. It asks for nothing that needs a server to be had
/// (<see cref="ServerJobLint"/> proves it): identity, data, address and program of a server belong to its node, only its place belongs to the job.
/// </summary>
internal sealed record ServerJob
{
    /// <summary>Raised when a newer nomadstack writes another job; kept in the job's metadata.</summary>
    public const int Schema = 2;

    public const string SchemaKey = "nomadstack_schema";

    public const string GroupName = "server";

    /// <summary>Whose servers it places.</summary>
    public required Product Product { get; init; }

    public required int Count { get; init; }
    public required PortPlan Ports { get; init; }

    /// <summary>The binary's version; null for the one each node has chosen. A change is a rolling update, one server at a time.</summary>
    public string? Version { get; init; }

    public string Region { get; init; } = "global";

    /// <summary>Named, since <c>*</c> means every datacenter only from Nomad 1.5 on.</summary>
    public string Datacenter { get; init; } = "dc1";

    /// <summary>The same settings always render to the same text.</summary>
    public string Render()
    {
        var config = new JsonObject { ["role"] = Product.Name };
        if (Version is not null) config["version"] = Version;

        return ConfigText.Of(new JsonObject
        {
            ["ID"] = Product.JobId,
            ["Name"] = Product.JobId,
            [nameof(Region)] = Region,
            ["Datacenters"] = new JsonArray(Datacenter),
            ["Type"] = "service",
            // Any node may hold a server, whatever pool its operator put it in. Nomad before 1.6 knows no pools and passes over the word.
            ["NodePool"] = "all",
            // The highest that every version allows by default: nothing may take a server's place.
            ["Priority"] = 100,
            ["Meta"] = new JsonObject { [SchemaKey] = Schema.ToString(System.Globalization.CultureInfo.InvariantCulture) },
            ["Constraints"] = new JsonArray(new JsonObject { ["Operand"] = "distinct_hosts", ["RTarget"] = "true" }),
            ["TaskGroups"] = new JsonArray(new JsonObject
            {
                ["Name"] = GroupName,
                [nameof(Count)] = Count,
                ["Networks"] = new JsonArray(new JsonObject { ["Mode"] = "host", ["ReservedPorts"] = StaticPorts() }),
                ["EphemeralDisk"] = new JsonObject { ["SizeMB"] = 50, ["Sticky"] = false, ["Migrate"] = false },
                // The agent restarts a server that crashed; Nomad sees an exit only when a claim ended. It may try for ever: nobody else would.
                ["RestartPolicy"] = new JsonObject { ["Attempts"] = 3, ["Interval"] = Seconds(60), ["Delay"] = Seconds(5), ["Mode"] = "delay" },
                ["ReschedulePolicy"] = new JsonObject { ["Attempts"] = 0, ["Interval"] = 0, ["Delay"] = Seconds(5), ["DelayFunction"] = "exponential", ["MaxDelay"] = Seconds(60), ["Unlimited"] = true },
                ["Update"] = new JsonObject
                {
                    ["MaxParallel"] = 1,
                    // Checks would need the service catalog.
                    ["HealthCheck"] = "task_states",
                    ["MinHealthyTime"] = Seconds(10),
                    // A hand-over takes as long as it takes; a deployment that fails meanwhile would stop Nomad from replacing servers.
                    ["HealthyDeadline"] = Seconds(30 * 60),
                    ["ProgressDeadline"] = Seconds(60 * 60),
                    ["AutoRevert"] = false,
                    ["AutoPromote"] = false,
                    ["Canary"] = 0,
                    ["Stagger"] = Seconds(30),
                },
                ["Migrate"] = new JsonObject { ["MaxParallel"] = 1, ["HealthCheck"] = "task_states", ["MinHealthyTime"] = Seconds(10), ["HealthyDeadline"] = Seconds(5 * 60) },
                ["Tasks"] = new JsonArray(new JsonObject
                {
                    ["Name"] = "server",
                    ["Driver"] = "nomadstack",
                    ["Config"] = config,
                    // A claim on space, not a limit: the process is the agent's.
                    ["Resources"] = new JsonObject { ["CPU"] = 100, ["MemoryMB"] = 128 },
                    ["KillTimeout"] = Seconds(30),
                    ["LogConfig"] = new JsonObject { ["MaxFiles"] = 2, ["MaxFileSizeMB"] = 5 },
                }),
            }),
        });
    }

    /// <summary>
    /// A job of an older release as this one writes it. Kept is what an operator may have chosen: where it runs, how many, which version of the program, how much room.
    /// A task that differs is replaced by Nomad one at a time; its server lingers meanwhile, and the new allocation on the same node claims it as it runs.
    /// </summary>
    /// <returns>Null when the job is this release's, or that of a newer one, which an older agent leaves alone.</returns>
    public static string? Migrate(Product product, JobFacts registered, PortPlan ports)
    {
        if (!int.TryParse(registered.Meta.GetValueOrDefault(SchemaKey, "0"), out var schema) || schema >= Schema) return null;
        var (old, job) = (JsonNode.Parse(registered.Raw)!, JsonNode.Parse(new ServerJob { Product = product, Count = registered.Count, Ports = ports }.Render())!);
        Keep(old, job, nameof(Region), "Datacenters", "Affinities", "Spreads");
        var (oldGroup, group) = (old["TaskGroups"]?[0], job["TaskGroups"]![0]!);
        var (oldTask, task) = (oldGroup?["Tasks"]?[0], group["Tasks"]![0]!);
        Keep(oldTask, task, "Resources");
        if (oldTask?["Config"]?["version"] is { } version) task["Config"]!["version"] = version.DeepClone();
        foreach (var constraint in old["Constraints"] as JsonArray ?? [])
        {
            if (constraint is not null && (string?)constraint["Operand"] != "distinct_hosts") ((JsonArray)job["Constraints"]!).Add(constraint.DeepClone());
        }

        return job.ToJsonString();

        static void Keep(JsonNode? from, JsonNode to, params ReadOnlySpan<string> fields)
        {
            foreach (var field in fields)
            {
                if (from?[field] is { } value) to[field] = value.DeepClone();
            }
        }
    }

    private JsonArray StaticPorts() => [.. Product.Ports.Where(p => p.Holder == ProductPort.Server).Select(p => (JsonNode)Port(p.Purpose, Ports[p]))];

    private static JsonObject Port(string label, int port) => new() { ["Label"] = label, ["Value"] = port };

    private static long Seconds(int seconds) => GoDuration.Nanoseconds(TimeSpan.FromSeconds(seconds));
}
