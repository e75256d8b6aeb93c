// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>One reading of everything that must outlive a fault, taken from the engines and the process tables themselves, not from what we say of them.</summary>
internal sealed record Evidence(
    string ClusterId,
    IReadOnlyDictionary<string, string> NodeIds,
    IReadOnlyList<RaftPeer> NomadPeers,
    IReadOnlyList<RaftPeer> ConsulPeers,
    IReadOnlyList<AllocationSeen> Allocations,
    IReadOnlyList<EngineProcess> Processes)
{
    public IEnumerable<AllocationSeen> Running => Allocations.Where(allocation => allocation is { ClientStatus: "running", DesiredStatus: "run" });

    public IEnumerable<EngineProcess> Servers => Processes.Where(process => process.Kind != EngineKind.Client);

    public static async Task<Evidence> CollectAsync(TestCluster cluster)
    {
        Evidence? seen = null;
        // A client asks one server a request, and passes the failure on: after a server has left, the first request may still have met it.
        await Eventually.NothingIsMissingAsync("the cluster answers", TimeSpan.FromSeconds(30), async () =>
        {
            seen = await ReadAsync(cluster);
            return null;
        }, cluster.Logs);
        return seen!;
    }

    private static async Task<Evidence> ReadAsync(TestCluster cluster)
    {
        var live = cluster.Running;
        var status = await TestCluster.StatusAsync(live[0]);
        var nomad = TestCluster.Nomad(live[0]);
        var nodes = (await nomad.GetAsync("/v1/nodes")).EnumerateArray()
            // A machine that was replaced is known twice for a day: as the one that is down, too.
            .GroupBy(node => node.GetProperty("Name").GetString()!).ToDictionary(named => named.Key, named => named.OrderByDescending(node => node.GetProperty("Status").GetString() == "ready").First().GetProperty("ID").GetString()!);
        var allocations = (await nomad.GetAsync("/v1/allocations?task_states=true")).EnumerateArray().Select(AllocationSeen.Read).ToList();
        var consul = status.HasConsul ? await PeersAsync(new NomadApi(live[0].Address, NomadApi.ConsulClientPort)) : [];
        return new(status.Cluster.Id, nodes, await PeersAsync(nomad), consul, allocations, [.. live.SelectMany(EngineProcess.On)]);
    }

    private static async Task<IReadOnlyList<RaftPeer>> PeersAsync(NomadApi api) =>
        [.. (await api.GetAsync("/v1/operator/raft/configuration")).GetProperty("Servers").EnumerateArray().Select(peer => new RaftPeer(
            peer.GetProperty("ID").GetString()!, peer.GetProperty("Address").GetString()!, peer.GetProperty("Voter").GetBoolean(), peer.GetProperty("Leader").GetBoolean()))];
}

internal sealed record RaftPeer(string Id, string Address, bool Voter, bool Leader);

/// <param name="Restarts">Of all its tasks together.</param>
/// <param name="Events">Types of all task events, oldest first.</param>
internal sealed record AllocationSeen(string Id, string Job, string Group, string Node, string ClientStatus, string DesiredStatus, long Restarts, IReadOnlyList<string> Events)
{
    public static AllocationSeen Read(JsonElement json)
    {
        var tasks = json.GetProperty("TaskStates") is { ValueKind: JsonValueKind.Object } states ? states.EnumerateObject().Select(task => task.Value).ToList() : [];
        return new(
            Text("ID"), Text("JobID"), Text("TaskGroup"), Text("NodeName"), Text("ClientStatus"), Text("DesiredStatus"),
            tasks.Sum(task => task.GetProperty("Restarts").GetInt64()),
            [.. tasks.Select(task => task.GetProperty("Events")).Where(events => events.ValueKind == JsonValueKind.Array).SelectMany(events => events.EnumerateArray()).OrderBy(seen => seen.GetProperty("Time").GetInt64()).Select(seen => seen.GetProperty("Type").GetString()!)]);
        string Text(string name) => json.GetProperty(name).GetString()!;
    }

    public override string ToString() => $"{Job}.{Group} {Id[..8]} on {Node}: {ClientStatus}/{DesiredStatus}, {Restarts} restarts [{string.Join(", ", Events)}]";
}

internal enum EngineKind
{
    Client,
    JobServer,
    BootstrapServer,
}

/// <summary>A Nomad or Consul agent found in a node's process table, told apart by the folder it was started on.</summary>
internal sealed record EngineProcess(string Node, string Product, EngineKind Kind, NodeProcess Process)
{
    public static IEnumerable<EngineProcess> On(LabNode node) =>
        from process in node.Pids()
        let product = ProductOf(process)
        // What proves a snapshot, or rehearses, lives for seconds beside the cluster and is no part of it.
        where product is not null && !process.CommandLine.Contains("/throw-away/", StringComparison.Ordinal) && !process.CommandLine.Contains("/drill/", StringComparison.Ordinal)
        let kind = process.CommandLine.Contains($"/servers/{product}-bootstrap", StringComparison.Ordinal) ? EngineKind.BootstrapServer
            : process.CommandLine.Contains($"/servers/{product}", StringComparison.Ordinal) ? EngineKind.JobServer
            : EngineKind.Client
        select new EngineProcess(node.Name, product, kind, process);

    private static string? ProductOf(NodeProcess process) => process.Program switch
    {
        "nomad" or "consul" when process.Arguments is [_, "agent", ..] => process.Program,
        "nomadstack" when process.Arguments is [_, "engine", "agent", ..] => "nomad",
        _ => null,
    };

    public override string ToString() => $"{Product} {Kind} on {Node} (pid {Process.InnerPid})";
}
