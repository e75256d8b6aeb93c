// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;

namespace Nomadstack.Bench;

/// <summary>
/// A snapshot of a large Nomad state, taken while somebody writes: what the agent's memory grows by, and what the writer feels. Plain <c>nomad operator snapshot save</c> is measured beside
/// it, for most of what the writer feels is Nomad's own work.
/// </summary>
internal static class SnapshotBench
{
    /// <summary>A job of random text: it does not compress to less than three quarters.</summary>
    private const int JobBytes = 256 << 10;

    private static readonly string[] s_anywhere = ["dc1"];
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(15);

    public static async Task<string> RunAsync(int mib, int seconds)
    {
        await using var cluster = await TestCluster.CreateAsync(1, consul: false, secure: true);
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        var api = new NomadApi(node.Address, NomadApi.ServerPort);
        var filling = Stopwatch.StartNew();
        await Parallel.ForEachAsync(Enumerable.Range(0, (int)(((long)mib << 20) / JobBytes)), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, _) => await RegisterAsync(api, $"filler-{i}", JobBytes));
        var filled = filling.Elapsed;
        // Nothing of what filling it has started runs on: Nomad's own snapshots of its log, its collector.
        await Task.Delay(TimeSpan.FromSeconds(30));

        var quiet = await WriteDuringAsync(api, "quiet", () => Task.Delay(TimeSpan.FromSeconds(seconds)));
        var plain = await WriteDuringAsync(api, "plain", () => cluster.MustAsync(node, s_deadline, "nomad", "operator", "snapshot", "save", "/srv/plain"));
        await Task.Delay(TimeSpan.FromSeconds(15));
        var agent = cluster.Agent(node).Process!;
        var before = agent.Memory().Rss;
        using var watching = new CancellationTokenSource();
        var peak = PeakAsync(agent, watching.Token);
        var ours = await WriteDuringAsync(api, "ours", () => cluster.MustAsync(node, s_deadline, "snapshot", "save", "--output", "/srv/ours"));
        await watching.CancelAsync();
        var grown = await peak - before;

        return string.Create(CultureInfo.InvariantCulture, $"""

            A Nomad state of {mib} MiB (filled in {filled.TotalSeconds:0} s), one node, one writer

            | | took s | file MiB | writes/s | of quiet | longest write ms |
            |---|---|---|---|---|---|
            | nothing beside it | {quiet.Took.TotalSeconds:0.0} | | {quiet.Rate:0.0} | | {quiet.Longest.TotalMilliseconds:0} |
            | nomad operator snapshot save | {plain.Took.TotalSeconds:0.0} | {MiB(node, "plain"):0} | {plain.Rate:0.0} | {plain.Rate / quiet.Rate:0.00} | {plain.Longest.TotalMilliseconds:0} |
            | nomadstack snapshot save (verified) | {ours.Took.TotalSeconds:0.0} | {MiB(node, "ours"):0} | {ours.Rate:0.0} | {ours.Rate / quiet.Rate:0.00} | {ours.Longest.TotalMilliseconds:0} |

            Agent: {before / 1024.0:0.0} MiB before, {grown / 1024.0:+0.0;-0.0} MiB at most during it (bar ≤ 32; writes ≥ 0.90 of quiet)

            """);
    }

    private static double MiB(LabNode node, string file) => new FileInfo(Path.Combine(node.Srv, file)).Length / 1048576.0;

    /// <summary>Registers one small job after the other until the work is done.</summary>
    private static async Task<Writes> WriteDuringAsync(NomadApi api, string name, Func<Task> work)
    {
        using var over = new CancellationTokenSource();
        var clock = Stopwatch.StartNew();
        var (count, longest) = (0, TimeSpan.Zero);
        var writer = Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                var one = Stopwatch.StartNew();
                await RegisterAsync(api, name, 10);
                count++;
                longest = one.Elapsed > longest ? one.Elapsed : longest;
            }
        });
        await work();
        var took = clock.Elapsed;
        await over.CancelAsync();
        await writer;
        return new(took, count / took.TotalSeconds, longest);
    }

    private static async Task<long> PeakAsync(NodeProcess process, CancellationToken until)
    {
        var most = 0L;
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        try
        {
            while (await ticks.WaitForNextTickAsync(until)) most = Math.Max(most, process.Memory().Rss);
        }
        catch (OperationCanceledException)
        {
            // Seen enough.
        }

        return most;
    }

    private static async Task RegisterAsync(NomadApi api, string id, int bytes) => await Eventually.NothingIsMissingAsync($"job {id} is registered", TimeSpan.FromMinutes(2), async () =>
    {
        await PutAsync(api, id, bytes);
        return null;
    });

    /// <summary>Parameterized: a job that is kept and never placed.</summary>
    private static async Task PutAsync(NomadApi api, string id, int bytes) => await api.PutAsync("/v1/jobs", new
    {
        Job = new
        {
            ID = id,
            Name = id,
            Type = "batch",
            Datacenters = s_anywhere,
            ParameterizedJob = new { Payload = "optional" },
            Meta = new Dictionary<string, string> { ["filler"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes * 3 / 4)) },
            TaskGroups = new[] { new { Name = "g", Tasks = new[] { new { Name = "t", Driver = "raw_exec", Config = new { command = "/bin/true" } } } } },
        },
    }, TimeSpan.FromMinutes(1));

    private sealed record Writes(TimeSpan Took, double Rate, TimeSpan Longest);
}
