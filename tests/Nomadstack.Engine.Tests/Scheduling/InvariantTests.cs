// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Scheduling;

/// <summary>What must hold whatever happens: many clusters, each with a life of chance. A failure names its seed.</summary>
public sealed class InvariantTests
{
    private const int Steps = 40;

    /// <summary>NOMADSTACK_SEEDS asks for more of them.</summary>
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, int.TryParse(Environment.GetEnvironmentVariable("NOMADSTACK_SEEDS"), out var count) ? count : 25)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void HoldOverALifeOfChance(int seed)
    {
        var chance = new Random(seed);
        var cluster = new Cluster(seed);
        var life = new List<string>();
        cluster.Watch = () => Check(cluster, seed, life);
        for (var i = 1; i <= 4; i++) cluster.Add(Specimens.Node(new string('n', i), cpu: chance.Next(300, 1500), memory: chance.Next(300, 1500)));

        for (var step = 0; step < Steps; step++)
        {
            life.Add(Live(cluster, chance));
            cluster.Settle();
        }

        // Let everything come to its end: nobody silent, everybody eligible, and room for all.
        cluster.Silent.Clear();
        cluster.Fate = null;
        cluster.SlowToStop = false;
        foreach (var node in cluster.State.Nodes.All)
        {
            if (node.IsDown) cluster.SetStatus(node.ID, NodeStatus.Ready);
            if (node.DrainStrategy is not null) cluster.Commit(new UpdateNodeDrain(node.ID, null, true, false, cluster.Now, null, null, []));
            cluster.SetEligible(node.ID, true);
        }

        for (var i = 10; i < 16; i++) cluster.Add(Specimens.Node(new string('n', i), cpu: 5000, memory: 5000));
        for (var i = 0; i < 120; i++) cluster.Advance(TimeSpan.FromSeconds(30));

        foreach (var job in cluster.State.Jobs.All)
        {
            var wanted = job.Stop ? 0 : job.TaskGroups[0].Count;
            var why = $"seed {seed}: {job.ID} after {string.Join("; ", life)}";
            if (job.Type == JobType.Service && !FailedDeployment(cluster, job)) cluster.Live(job.ID).Count.ShouldBe(wanted, why);
            if (job.Type == JobType.Service) cluster.Live(job.ID).Select(a => a.Number).Distinct().Count().ShouldBe(cluster.Live(job.ID).Count, why);
            if (job.Type == JobType.System && job.Stop) cluster.Live(job.ID).ShouldBeEmpty(why);
            if (job is { Type: JobType.System, Stop: false }) WithoutRoom(cluster, job).ShouldBe(cluster.State.Nodes.All.Select(n => n.ID).Except(cluster.Live(job.ID).Select(a => a.NodeID)), ignoreOrder: true, why);
            // Nobody is left behind without anybody to come for it.
            cluster.State.EvaluationsOf(job.Key).Count(e => e.Status == EvalStatus.Pending && e.WaitUntil is null).ShouldBe(0, why);
        }

        // And then nothing moves any more.
        var index = cluster.State.Index;
        var placed = cluster.State.Allocations.Count;
        foreach (var job in cluster.State.Jobs.All.ToList())
            cluster.Commit(new UpsertEvaluations([Evaluation.For(job, EvalTrigger.NodeUpdate, cluster.NewId(), cluster.Now)]));
        cluster.Settle();
        cluster.State.Allocations.Count.ShouldBe(placed, $"seed {seed}: a needless move after index {index}");
    }

    private static bool FailedDeployment(Cluster cluster, Job job) => cluster.State.LatestDeploymentOf(job.Key) is { Status: DeploymentStatus.Failed };

    /// <summary>Nodes that do not run the job and have no room for it.</summary>
    private static IEnumerable<string> WithoutRoom(Cluster cluster, Job job) =>
        from node in cluster.State.Nodes.All
        let others = cluster.State.AllocationsOn(node.ID).Where(a => !a.ClientTerminal).ToList()
        where others.All(a => a.JobID != job.ID)
        where others.Sum(a => a.AllocatedResources.Tasks.Values.Sum(t => t.Cpu.CpuShares)) + job.TaskGroups[0].Tasks[0].Resources.CPU > node.NodeResources.Cpu.CpuShares
            || others.Sum(a => a.AllocatedResources.Tasks.Values.Sum(t => t.Memory.MemoryMB)) + job.TaskGroups[0].Tasks[0].Resources.MemoryMB > node.NodeResources.Memory.MemoryMB
        select node.ID;

    private static string Live(Cluster cluster, Random chance)
    {
        var nodes = cluster.State.Nodes.All.Select(n => n.ID).ToList();
        var node = nodes[chance.Next(nodes.Count)];
        var id = "job" + chance.Next(4);
        switch (chance.Next(12))
        {
            case 0 or 1 or 2 or 3:
                var count = chance.Next(1, 7);
                var job = Specimens.Job(id, id == "job3" ? JobType.System : JobType.Service, id == "job3" ? 1 : count, group: g =>
                {
                    if (id == "job0") g["Networks"] = new JsonArray(Specimens.Network([8000 + chance.Next(2)], ["http"]));
                    if (id != "job3") g["Update"] = new JsonObject { ["MaxParallel"] = 2, ["MinHealthyTime"] = Specimens.Seconds(5) };
                    if (id == "job0") g["Count"] = Math.Min(count, 3);
                }, task: t => t["Resources"]!["CPU"] = 50 + 50 * chance.Next(3));
                cluster.Register(job);
                return $"register {id} x{count}";
            case 4:
                cluster.Silent.Add(node);
                return $"{node} is silent";
            case 5:
                cluster.Silent.Remove(node);
                if (cluster.State.Node(node)!.IsDown) cluster.SetStatus(node, NodeStatus.Ready);
                return $"{node} is back";
            case 6:
                cluster.Drain(node, TimeSpan.FromSeconds(chance.Next(-1, 100)));
                return $"drain {node}";
            case 7:
                cluster.Commit(new UpdateNodeDrain(node, null, true, false, cluster.Now, null, null, NodeEvaluations.For(cluster.State, node, EvalTrigger.NodeUpdate, cluster.Now, cluster.NewId)));
                return $"{node} takes allocations again";
            case 8:
                var running = cluster.State.Allocations.All.Where(a => a.ClientStatus == ClientStatus.Running && !a.ServerTerminal).ToList();
                if (running.Count > 0) cluster.Fail(running[chance.Next(running.Count)]);
                return "one fails";
            case 9:
                cluster.SlowToStop = !cluster.SlowToStop;
                return "stopping takes " + (cluster.SlowToStop ? "long" : "no time");
            case 10:
                if (cluster.State.Job(new JobKey("default", id)) is not null) cluster.Stop(id, purge: chance.Next(2) == 0);
                return $"stop {id}";
            default:
                cluster.Advance(TimeSpan.FromSeconds(chance.Next(1, 60)));
                return "time passes";
        }
    }

    /// <summary>Counted here by itself, not with the scheduler's own arithmetic.</summary>
    private static void Check(Cluster cluster, int seed, List<string> life)
    {
        foreach (var node in cluster.State.Nodes.All)
        {
            var (cpu, memory) = (0L, 0L);
            var ports = new HashSet<(string, int)>();
            foreach (var allocation in cluster.State.AllocationsOn(node.ID).Where(a => a.ClientStatus is ClientStatus.Pending or ClientStatus.Running))
            {
                // It is started when the one that it replaces has ended.
                if (cluster.State.Allocation(allocation.PreviousAllocation) is { ClientTerminal: false } previous && previous.NodeID == node.ID) continue;
                cpu += allocation.AllocatedResources.Tasks.Values.Sum(t => t.Cpu.CpuShares);
                memory += allocation.AllocatedResources.Tasks.Values.Sum(t => t.Memory.MemoryMB);
                foreach (var port in allocation.AllocatedResources.Shared.Ports ?? [])
                    ports.Add((port.HostIP, port.Value)).ShouldBeTrue($"seed {seed}: port {port.Value} twice on {node.ID} after {string.Join("; ", life)}");
            }

            cpu.ShouldBeLessThanOrEqualTo(node.NodeResources.Cpu.CpuShares, $"seed {seed}: {node.ID} after {string.Join("; ", life)}");
            memory.ShouldBeLessThanOrEqualTo(node.NodeResources.Memory.MemoryMB, $"seed {seed}: {node.ID} after {string.Join("; ", life)}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void AnUpdateNeverTakesMoreThanMaxParallelAway(int seed)
    {
        var chance = new Random(seed);
        var cluster = new Cluster(seed);
        for (var i = 1; i <= 5; i++) cluster.Add(Specimens.Node(new string('n', i), cpu: 2000, memory: 2000));
        var (count, parallel) = (chance.Next(2, 10), chance.Next(1, 4));
        cluster.Run(Version(0));
        for (var i = 0; i < 40; i++) cluster.Advance(TimeSpan.FromSeconds(5));
        cluster.Live().Count(Healthy).ShouldBe(count);
        var fewest = count;
        cluster.Watch = () => fewest = Math.Min(fewest, cluster.Live().Count(Healthy));

        for (var version = 1; version <= 3; version++)
        {
            cluster.Run(Version(version));
            for (var i = 0; i < 60; i++) cluster.Advance(TimeSpan.FromSeconds(chance.Next(1, 5)));
            cluster.Live().ShouldAllBe(a => a.Job.TaskGroups[0].Tasks[0].Env!["V"] == $"{version}");
        }

        fewest.ShouldBeGreaterThanOrEqualTo(Math.Max(0, count - parallel), $"seed {seed}: {count} with {parallel} at a time");

        static bool Healthy(Allocation allocation) => allocation.DeploymentStatus?.Healthy == true;

        Job Version(int version) => Specimens.Job(count: count, group: g => g["Update"] = new JsonObject { ["MaxParallel"] = parallel, ["MinHealthyTime"] = Specimens.Seconds(5) }, task: t => t["Env"] = new JsonObject { ["V"] = $"{version}" });
    }

    [Fact]
    public void TheSameLifeLeadsToTheSameState()
    {
        static string LifeOf(int seed)
        {
            var cluster = new Cluster(seed);
            var chance = new Random(seed);
            for (var i = 1; i <= 3; i++) cluster.Add(Specimens.Node(new string('n', i)));
            for (var step = 0; step < 30; step++)
            {
                Live(cluster, chance);
                cluster.Settle();
            }

            using var saved = new MemoryStream();
            StateStore.Save(cluster.State, saved);
            return System.Text.Encoding.UTF8.GetString(saved.ToArray());
        }

        LifeOf(7).ShouldBe(LifeOf(7));
    }
}
