// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>
/// The job that places the servers of one product, in JSON that every Nomad since 1.1 accepts. It needs nothing that only a server can provide
/// (<see cref="ServerJobLint"/> checks that). Identity, data, address and program of a server belong to its node; only its place belongs to the job.
/// </summary>
internal sealed record ServerJob
{
    /// <summary>Raised if a newer nomadstack writes another job; kept in the job's metadata.</summary>
    public const int Schema = 2;

    public const string SchemaKey = "nomadstack_schema";

    public const string GroupName = "server";

    /// <summary>The product whose servers it places.</summary>
    public required Product Product { get; init; }

    public required int Count { get; init; }
    public required PortPlan Ports { get; init; }

    /// <summary>The version of the program; null for each node's own choice. A change is a rolling update, one server at a time.</summary>
    public string? Version { get; init; }

    public string Region { get; init; } = "global";

    /// <summary>Named, since <c>*</c> means every datacenter only since Nomad 1.5.</summary>
    public string Datacenter { get; init; } = "dc1";

    /// <summary>The same settings always give the same text.</summary>
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
            // Any node may run a server, whatever its node pool. Nomad before 1.6 has no pools and ignores this.
            ["NodePool"] = "all",
            // The highest priority that every version allows by default: no other job may displace a server.
            ["Priority"] = 100,
            ["Meta"] = new JsonObject { [SchemaKey] = Schema.ToString(System.Globalization.CultureInfo.InvariantCulture) },
            ["Constraints"] = new JsonArray(new JsonObject { ["Operand"] = "distinct_hosts", ["RTarget"] = "true" }),
            ["TaskGroups"] = new JsonArray(new JsonObject
            {
                ["Name"] = GroupName,
                [nameof(Count)] = Count,
                ["Networks"] = new JsonArray(new JsonObject { ["Mode"] = "host", ["ReservedPorts"] = StaticPorts() }),
                ["EphemeralDisk"] = new JsonObject { ["SizeMB"] = 50, ["Sticky"] = false, ["Migrate"] = false },
                // The agent restarts a crashed server; Nomad sees an exit only when a claim ends. Nomad may retry forever, since nobody else would.
                ["RestartPolicy"] = new JsonObject { ["Attempts"] = 3, ["Interval"] = Seconds(60), ["Delay"] = Seconds(5), ["Mode"] = "delay" },
                ["ReschedulePolicy"] = new JsonObject { ["Attempts"] = 0, ["Interval"] = 0, ["Delay"] = Seconds(5), ["DelayFunction"] = "exponential", ["MaxDelay"] = Seconds(60), ["Unlimited"] = true },
                ["Update"] = new JsonObject
                {
                    ["MaxParallel"] = 1,
                    // Checks would need the service catalog.
                    ["HealthCheck"] = "task_states",
                    ["MinHealthyTime"] = Seconds(10),
                    // A hand-over has no fixed duration. If a deployment failed meanwhile, Nomad would no longer replace servers.
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
                    // A reservation, not a limit: the process belongs to the agent.
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
