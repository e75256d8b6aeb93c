// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Tests.Scheduling;

/// <summary>Nodes and jobs for tests, complete and small.</summary>
internal static class Specimens
{
    public static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Node Node(string id, int cpu = 1000, int memory = 1000, string datacenter = "dc1", string address = "") => new()
    {
        ID = id,
        Name = "node-" + id,
        Datacenter = datacenter,
        Status = NodeStatus.Initializing,
        Attributes = new Dictionary<string, string> { ["kernel.name"] = "linux", ["nomad.version"] = "1.6.0" },
        NodeResources = new NodeResources
        {
            Cpu = new NodeCpu { CpuShares = cpu },
            Memory = new NodeMemory { MemoryMB = memory },
            Disk = new NodeDisk { DiskMB = 100_000 },
            NodeNetworks = [new NodeNetwork { Mode = "host", Device = "eth0", Addresses = [new NodeAddress("ipv4", "default", address.Length > 0 ? address : "10.0.0." + id.Length, "", "")] }],
        },
        Drivers = new Dictionary<string, DriverStatus> { ["raw_exec"] = new() { Detected = true, Healthy = true } },
    };

    /// <summary>One group "g" with one task "t".</summary>
    public static Job Job(string id = "web", string type = JobType.Service, int count = 1, Action<JsonObject>? job = null, Action<JsonObject>? group = null, Action<JsonObject>? task = null)
    {
        var t = new JsonObject { ["Name"] = "t", ["Driver"] = "raw_exec", ["Config"] = new JsonObject { ["command"] = "/bin/true" }, ["Resources"] = new JsonObject { ["CPU"] = 100, ["MemoryMB"] = 100 } };
        task?.Invoke(t);
        var g = new JsonObject { ["Name"] = "g", ["Count"] = count, ["Tasks"] = new JsonArray(t) };
        group?.Invoke(g);
        var j = new JsonObject { ["ID"] = id, ["Type"] = type, ["Datacenters"] = new JsonArray("dc1"), ["TaskGroups"] = new JsonArray(g) };
        job?.Invoke(j);
        return JobReader.Read(j) switch
        {
            JobReading.Read read => read.Job,
            JobReading.Refused refused => throw new InvalidOperationException(refused.Text),
            _ => throw new InvalidOperationException("neither read nor refused"),
        };
    }

    public static long Seconds(double seconds) => (long)(seconds * 1_000_000_000);

    public static JsonObject Constraint(string left, string operand, string right) => new() { ["LTarget"] = left, ["Operand"] = operand, ["RTarget"] = right };

    public static JsonObject Network(int[]? reserved = null, string[]? dynamic = null) => new()
    {
        ["ReservedPorts"] = new JsonArray([.. (reserved ?? []).Select(p => (JsonNode)new JsonObject { ["Label"] = "p" + p, ["Value"] = p })]),
        ["DynamicPorts"] = new JsonArray([.. (dynamic ?? []).Select(l => (JsonNode)new JsonObject { ["Label"] = l })]),
    };
}
