// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;

namespace Nomadstack.Bench;

/// <summary>
/// The power of three nodes goes and returns, at once or node by node in random order: how long until there is a leader (counted from the power
/// of the second node, the quorum) and until every node is ready and every task of the workload runs again (counted from the power of the last).
/// A plain cluster and ours, one after the other, with the same schedules, on the same machine in one run.
/// </summary>
internal static class ColdBootBench
{
    // Nomad 1.1 may end tasks for good when a client meets a server that has not replayed its log: such a boot counts as this long, and is named.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    public static async Task<string> RunAsync(IReadOnlyList<string> sides, int rounds, int apart, int seed)
    {
        var together = new Dictionary<string, IReadOnlyList<Boot>>();
        var oneByOne = new Dictionary<string, IReadOnlyList<Boot>>();
        foreach (var side in sides)
        {
            together[side] = await MeasureAsync(side, rounds, 0, seed);
            if (apart > 0) oneByOne[side] = await MeasureAsync(side, rounds, apart, seed);
        }

        return Table($"power at once, {rounds} rounds", together) + (apart > 0 ? Table($"power in random order, up to {apart} s apart (seed {seed}), {rounds} rounds", oneByOne) : "");
    }

    private static async Task<IReadOnlyList<Boot>> MeasureAsync(string side, int rounds, int apart, int seed)
    {
        Room? room = null;
        try
        {
            return await RoundsAsync();
        }
        finally
        {
            if (room is not null) await room.DisposeAsync();
        }

        async Task<IReadOnlyList<Boot>> RoundsAsync()
        {
            var random = new Random(seed);
            var boots = new List<Boot>();
            for (var round = 1; round <= rounds; round++)
            {
                // A boot that lost tasks is counted, and the next one starts from a new cluster.
                if (room is not null && Workload.RunningSinceBoot(room.Lab.Nodes) < Workload.Tasks)
                {
                    await room.DisposeAsync();
                    room = null;
                }

                room ??= side == "plain" ? await PlainRoomAsync() : await OurRoomAsync();
                await Task.Delay(TimeSpan.FromSeconds(8)); // past the first commotion: heartbeats, the clients' own snapshots of their state
                var before = await AllocationsAsync(room.Lab.Nodes);
                await Task.WhenAll(room.Lab.Nodes.Select(node => node.PowerOffAsync()));
                var order = room.Lab.Nodes.ToArray();
                random.Shuffle(order);
                var pauses = order.Select(_ => TimeSpan.FromSeconds(random.NextDouble() * apart)).Order().ToList();
                var boot = await BootAsync(room.Lab.Nodes, [.. order.Select((node, i) => (node, pauses[i] - pauses[0]))], room.PowerOnAsync, before);
                boots.Add(boot);
                Console.Error.WriteLine(Invariant($"{side} {round}/{rounds}{(apart > 0 ? ", apart" : "")}: leader {boot.Leader:0.0} s, all ready and running {boot.Running:0.0} s (nodes {boot.Ready:0.0} s, tasks {boot.Tasks:0.0} s), {boot.Moved} allocations replaced{(boot.Complete ? "" : ", NOT COMPLETE")}"));
            }

            return boots;
        }
    }

    private static async Task<Boot> BootAsync(IReadOnlyList<LabNode> nodes, IReadOnlyList<(LabNode Node, TimeSpan After)> schedule, Func<LabNode, Task> powerOn, IReadOnlySet<string> before)
    {
        var clock = Stopwatch.StartNew();
        double? leader = null, ready = null, tasks = null;
        var power = Task.WhenAll(schedule.Select(async turn =>
        {
            await Task.Delay(turn.After);
            await powerOn(turn.Node);
        }));
        var watch = Task.WhenAll(
            UntilAsync(async () => (await Task.WhenAll(nodes.Select(node => new NomadApi(node.Address, NomadApi.ServerPort).LeaderAsync()))).Any(one => one is not null), clock, at => leader = at),
            UntilAsync(() => ReadyAsync(nodes, clock), clock, at => ready = at),
            UntilAsync(() => Task.FromResult(nodes.All(node => node.IsOn) && Workload.RunningSinceBoot(nodes) == Workload.Tasks), clock, at => tasks = at));
        await power;
        var complete = (await watch).All(reached => reached);
        var after = await AllocationsAsync(nodes);
        double quorum = schedule[1].After.TotalSeconds, last = schedule[^1].After.TotalSeconds;
        return new(leader!.Value - quorum, ready!.Value - last, tasks!.Value - last, after.Count(id => !before.Contains(id)), complete);
    }

    /// <summary>Every client has had a heartbeat answered since it started, and the leader says ready.</summary>
    private static async Task<bool> ReadyAsync(IReadOnlyList<LabNode> nodes, Stopwatch sincePower)
    {
        var beats = await Task.WhenAll(nodes.Select(node => new NomadApi(node.Address, NomadApi.ClientPort).LastHeartbeatAsync()));
        if (beats.Any(beat => beat is null || beat > sincePower.Elapsed)) return false;
        var listed = await new NomadApi(nodes[0].Address, NomadApi.ClientPort).GetAsync("/v1/nodes");
        return listed.EnumerateArray().Count(node => node.GetProperty("Status").GetString() == "ready") == nodes.Count;
    }

    private static async Task<bool> UntilAsync(Func<Task<bool>> condition, Stopwatch clock, Action<double> reached)
    {
        try
        {
            await Eventually.TrueAsync("cold boot", s_patience, condition);
            return true;
        }
        catch (TimeoutException)
        {
            return false; // counted as the whole patience; the table says how often
        }
        finally
        {
            reached(clock.Elapsed.TotalSeconds);
        }
    }

    private static async Task<IReadOnlySet<string>> AllocationsAsync(IReadOnlyList<LabNode> nodes)
    {
        var ids = new HashSet<string>();
        await Eventually.TrueAsync("the list of allocations", TimeSpan.FromSeconds(30), async () =>
        {
            var list = await new NomadApi(nodes[0].Address, NomadApi.ClientPort).GetAsync("/v1/allocations");
            foreach (var allocation in list.EnumerateArray()) ids.Add(allocation.GetProperty("ID").GetString()!);
            return true;
        });
        return ids;
    }

    private static async Task<Room> PlainRoomAsync()
    {
        var lab = await Lab.CreateAsync((await RealEngines.FindAsync()).Tools());
        for (var i = 0; i < 3; i++) await lab.AddAsync();
        var plain = new PlainCluster(lab);
        await plain.StartAsync();
        await plain.ReadyAsync(s_patience);
        await plain.RunWorkloadAsync();
        await RunningAsync(lab);
        return new(lab, async node =>
        {
            await node.PowerOnAsync();
            plain.StartAgents(node);
        });
    }

    private static async Task<Room> OurRoomAsync()
    {
        var cluster = await TestCluster.CreateAsync(3);
        await cluster.StartAllAsync();
        await cluster.RunWorkloadAsync();
        await RunningAsync(cluster.Lab);
        return new(cluster.Lab, cluster.PowerOnAsync);
    }

    private static Task<TimeSpan> RunningAsync(Lab lab) =>
        Eventually.TrueAsync("the workload runs", s_patience, () => Task.FromResult(Workload.RunningSinceBoot(lab.Nodes) == Workload.Tasks));

    private static string Table(string what, Dictionary<string, IReadOnlyList<Boot>> results)
    {
        var table = new StringBuilder($"\nCold boot of three nodes, {what}, {Environment.ProcessorCount} cores: median (least – most), seconds after power-on\n\n");
        table.AppendLine("| | " + string.Join(" | ", results.Keys) + (results.Count == 2 ? " | ratio | bar |" : " |"));
        table.AppendLine("|---|" + string.Concat(results.Keys.Select(_ => "---|")) + (results.Count == 2 ? "---|---|" : ""));
        Row("power to leader", boot => boot.Leader, "≤ 1.1");
        Row("power to every node ready", boot => boot.Ready, "");
        Row("power to every task running", boot => boot.Tasks, "");
        Row("power to all nodes ready and all tasks running", boot => boot.Running, "≤ 0.5");
        Row("allocations replaced", boot => boot.Moved, "ours 0");
        table.AppendLine($"| boots with tasks still missing after {s_patience.TotalSeconds:0} s | {string.Join(" | ", results.Values.Select(boots => $"{boots.Count(boot => !boot.Complete)} of {boots.Count}"))} |" + (results.Count == 2 ? " | ours 0 |" : ""));
        return table.ToString();

        void Row(string name, Func<Boot, double> value, string bar)
        {
            var medians = results.Values.Select(boots => Median([.. boots.Select(value)])).ToList();
            var cells = results.Values.Select(boots => Invariant($"{Median([.. boots.Select(value)]):0.0} ({boots.Min(value):0.0} – {boots.Max(value):0.0})"));
            table.AppendLine($"| {name} | {string.Join(" | ", cells)} |" + (results.Count == 2 ? Invariant($" {(medians[0] > 0 ? medians[1] / medians[0] : 0):0.00} | {bar} |") : ""));
        }
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Boot(double Leader, double Ready, double Tasks, int Moved, bool Complete)
    {
        public double Running => Math.Max(Ready, Tasks);
    }

    private sealed record Room(Lab Lab, Func<LabNode, Task> PowerOnAsync) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Lab.DisposeAsync();
    }
}
