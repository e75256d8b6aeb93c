// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;
using Shouldly;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>What is true at the end of every scenario, whatever was done to the cluster in it.</summary>
internal static class Invariants
{
    private static readonly string[] s_bootstrapPorts = ["14646", "14647", "14648", "18300", "18301", "18500"];

    /// <summary>Waits for health, then checks all of them; <paramref name="before"/> adds that identities stayed. Returns the evidence.</summary>
    public static async Task<Evidence> HoldAsync(TestCluster cluster, int servers, Evidence? before = null, TimeSpan? healthyWithin = null)
    {
        await cluster.HealthyAsync(servers, healthyWithin ?? TimeSpan.FromSeconds(120));
        var now = await WhenTasksRunAgainAsync(cluster, before);
        var context = cluster.Logs();

        await OneLeaderAsync(cluster, now, servers, context);
        OneProcessPerServer(now, servers, context);
        await NoBootstrapResidueAsync(cluster, now);
        if (before is not null)
        {
            now.ClusterId.ShouldBe(before.ClusterId);
            foreach (var (name, id) in before.NodeIds) now.NodeIds.GetValueOrDefault(name).ShouldBe(id, name);
        }

        return now;
    }

    /// <summary>
    /// Health is the cluster's, not the tasks': a client that returned is ready before it has started all of its tasks anew. What ran before is given the time to run again;
    /// what does not is for the caller to find. The same holds for the servers of a cluster that was just made: the task of one that votes may not be seen running yet.
    /// </summary>
    private static async Task<Evidence> WhenTasksRunAgainAsync(TestCluster cluster, Evidence? before)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var now = await Evidence.CollectAsync(cluster);
            var pending = now.Allocations.Where(a => a is { DesiredStatus: "run", ClientStatus: "pending" }).Select(a => a.Id).ToHashSet();
            var awaited = before?.Running ?? now.Allocations.Where(a => a.Job.EndsWith("-server", StringComparison.Ordinal));
            if (!awaited.Any(a => pending.Contains(a.Id)) || Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(30)) return now;
            await Task.Delay(200);
        }
    }

    /// <summary>Every allocation that ran before runs now, under the same id.</summary>
    public static void SameAllocations(Evidence before, Evidence now)
    {
        var running = now.Running.Select(allocation => allocation.Id).ToHashSet();
        before.Running.Where(allocation => !running.Contains(allocation.Id)).ShouldBeEmpty($"Allocations now:\n{string.Join('\n', now.Allocations)}");
        running.Count.ShouldBe(before.Running.Count(), $"Allocations now:\n{string.Join('\n', now.Allocations)}");
    }

    /// <summary>No task was restarted, terminated or failed since.</summary>
    public static void NothingRestarted(Evidence before, Evidence now)
    {
        foreach (var allocation in before.Running)
        {
            var later = now.Allocations.Single(one => one.Id == allocation.Id);
            later.Restarts.ShouldBe(allocation.Restarts, later.ToString());
            later.Events.Count(Bad).ShouldBe(allocation.Events.Count(Bad), later.ToString());
        }

        static bool Bad(string type) => type is "Terminated" or "Restarting" or "Not Restarting" or "Driver Failure" or "Killing" or "Killed" or "Failed Restoring Task";
    }

    /// <summary>The same processes serve as before: same pid, same start time.</summary>
    public static void SameServerProcesses(Evidence before, Evidence now) =>
        now.Servers.Select(Identity).Order().ShouldBe(before.Servers.Select(Identity).Order());

    private static string Identity(EngineProcess server) => $"{server} since {server.Process.StartTicks}";

    private static async Task OneLeaderAsync(TestCluster cluster, Evidence now, int servers, string context)
    {
        now.NomadPeers.Count(peer => peer.Leader).ShouldBe(1, context);
        now.NomadPeers.Count(peer => peer.Voter).ShouldBe(servers, context);
        now.NomadPeers.Count.ShouldBe(servers, context);
        if (now.ConsulPeers.Count > 0)
        {
            now.ConsulPeers.Count(peer => peer.Leader).ShouldBe(1, context);
            now.ConsulPeers.Count(peer => peer.Voter).ShouldBe(servers, context);
            now.ConsulPeers.Count.ShouldBe(servers, context);
        }

        // An election may be under way when it is looked at; that they do not agree for longer is a fault.
        await Eventually.NothingIsMissingAsync("every server names the same leader", TimeSpan.FromSeconds(10), async () =>
        {
            var named = new List<(string Node, string? Leader, string Why)>();
            foreach (var server in now.Servers.Where(server => server.Product == "nomad"))
            {
                var (leader, why) = await new NomadApi(cluster[server.Node].Address, NomadApi.ServerPort).NamedLeaderAsync();
                named.Add((server.Node, leader, why));
            }

            return named.All(n => n.Leader is not null && n.Leader == named[0].Leader) ? null : $"they name {string.Join(", ", named.Select(n => $"{n.Leader ?? $"none ({n.Why})"} on {n.Node}"))}";
        }, () => context);
    }

    private static void OneProcessPerServer(Evidence now, int servers, string context)
    {
        foreach (var product in now.Servers.GroupBy(server => server.Product))
        {
            product.ShouldAllBe(server => server.Kind == EngineKind.JobServer, context);
            product.Count().ShouldBe(servers, string.Join(", ", product));
            product.Select(server => server.Node).ShouldBeUnique(string.Join(", ", product));
        }

        foreach (var clients in now.Processes.Where(process => process.Kind == EngineKind.Client).GroupBy(process => (process.Node, process.Product))) clients.Count().ShouldBe(1, string.Join(", ", clients));
    }

    /// <summary>A client that returns quickly is ready to the leader all the while: that it listens again comes a moment later.</summary>
    private static async Task<JsonElement> WhenItListensAsync(NomadApi client, string path)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await client.GetAsync(path);
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20))
            {
                await Task.Delay(100);
            }
        }
    }

    /// <summary>No bootstrap port in the raft configurations, the gossip, the clients' server lists, any configuration file, or the membership.</summary>
    private static async Task NoBootstrapResidueAsync(TestCluster cluster, Evidence now)
    {
        foreach (var peer in now.NomadPeers.Concat(now.ConsulPeers)) peer.Address.ShouldNotMatch($":({string.Join('|', s_bootstrapPorts)})$");
        foreach (var node in cluster.Running)
        {
            var client = TestCluster.Nomad(node);
            NamesNone(await WhenItListensAsync(client, "/v1/agent/servers"), $"server list of the Nomad client of {node.Name}");
            foreach (var member in (await client.GetAsync("/v1/agent/members")).GetProperty("Members").EnumerateArray())
            {
                if (member.GetProperty("Status").GetString() == "alive") NamesNone(member, "a living gossip member of Nomad");
            }

            foreach (var file in ConfigurationFiles(node)) NamesNone(await File.ReadAllTextAsync(file), file);
            NoLiveBootstrapInGossipSnapshot(node);
        }

        foreach (var node in cluster.Running)
        {
            var status = await TestCluster.StatusAsync(node);
            status.Servers.ShouldAllBe(server => server.ManagedBy == "job");
        }
    }

    private static IEnumerable<string> ConfigurationFiles(LabNode node) =>
        new[] { "servers", "nomad", "consul" }
            .Select(folder => Path.Combine(node.Data, folder))
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint }))
            .Where(file => Path.GetExtension(file) is ".json" or ".hcl" && !file.Contains("/raft/", StringComparison.Ordinal) && !file.Contains("/alloc/", StringComparison.Ordinal));

    /// <summary>A serf snapshot is a log: a member counts unless a later line takes it back.</summary>
    private static void NoLiveBootstrapInGossipSnapshot(LabNode node)
    {
        foreach (var file in Directory.EnumerateFiles(node.Data, "*snapshot", SearchOption.AllDirectories).Where(file => file.Contains("/serf/", StringComparison.Ordinal) && !file.Contains("/retired/", StringComparison.Ordinal)))
        {
            var alive = new Dictionary<string, string>();
            foreach (var line in File.ReadLines(file))
            {
                if (line.StartsWith("alive: ", StringComparison.Ordinal) && line["alive: ".Length..].Split(' ') is [var name, var address]) alive[name] = address;
                else if (line.StartsWith("not-alive: ", StringComparison.Ordinal)) alive.Remove(line["not-alive: ".Length..].Trim());
            }

            foreach (var (name, address) in alive) NamesNone(address, $"{file}, member {name}");
        }
    }

    private static void NamesNone(object where, string what)
    {
        var text = new StringBuilder(where.ToString()).ToString();
        foreach (var port in s_bootstrapPorts) System.Text.RegularExpressions.Regex.IsMatch(text, $@"(?<!\d){port}(?!\d)").ShouldBeFalse($"{what} still names bootstrap port {port}: {text}");
    }
}
