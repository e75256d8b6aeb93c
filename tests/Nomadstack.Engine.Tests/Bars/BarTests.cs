// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Engine.Tests.Bars;

/// <summary>
/// What the engine must achieve, measured on the published program in real processes. Takes minutes and a quiet machine, and so runs when
/// NOMADSTACK_ENGINE_BARS names that program. Figures also go to the file NOMADSTACK_ENGINE_REPORT.
/// </summary>
public sealed class BarTests(ITestOutputHelper output)
{
    private const int Kilobyte = 1024, TicksPerSecond = 100;

    private static readonly string? s_program = Environment.GetEnvironmentVariable("NOMADSTACK_ENGINE_BARS");

    private static IReadOnlyList<string> Ours => [s_program!, "engine"];

    [SkippableFact]
    public async Task At_rest_every_agent_is_small_and_idle()
    {
        Need();
        await using var cluster = await ProcessCluster.StartAsync(Ours, servers: 3, clients: 3);
        // An agent gives back its memory after its first minute.
        await Task.Delay(TimeSpan.FromSeconds(70), TimeProvider.System);
        var before = cluster.Names.ToDictionary(n => n, n => CpuTicks(cluster.Pid(n)));
        var span = TimeSpan.FromSeconds(30);
        await Task.Delay(span, TimeProvider.System);
        foreach (var name in cluster.Names)
        {
            var (memory, share) = (ResidentMegabytes(cluster.Pid(name)), (CpuTicks(cluster.Pid(name)) - before[name]) / (double)TicksPerSecond / span.TotalSeconds * 100);
            Report($"at rest: {name}: {memory:0.0} MB, {share:0.00} % of a core");
        }

        foreach (var name in cluster.Names) ResidentMegabytes(cluster.Pid(name)).ShouldBeLessThan(70, name);
    }

    [SkippableFact]
    public async Task A_leader_that_is_killed_has_a_successor_within_two_seconds()
    {
        Need();
        await using var cluster = await ProcessCluster.StartAsync(Ours, servers: 3, clients: 0);
        var times = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var leader = (await cluster.LeaderAsync())!;
            var other = cluster.Servers.First(s => s != leader);
            var started = Stopwatch.GetTimestamp();
            await cluster.KillAsync(leader);
            await cluster.EventuallyAsync("a successor", async () => await cluster.LeaderAsync() is not null, TimeSpan.FromMilliseconds(10));
            times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            (await cluster.PutAsync(other, "/v1/jobs", new JsonObject { ["Job"] = ProcessCluster.Job("j", "service", i, "/bin/true") })).ShouldBeTrue();
            cluster.Start(leader);
            await cluster.EventuallyAsync("it follows again", async () => (string?)(await cluster.GetAsync(leader, "/v1/agent/self"))?["stats"]?["raft"]?["state"] == "Follower" && (await cluster.GetAsync(leader, "/v1/status/leader?stale")) is JsonValue v && ((string?)v)?.Length > 0);
        }

        Report($"election after SIGKILL of the leader: median {times.Order().ElementAt(times.Count / 2):0.00} s, longest {times.Max():0.00} s of {times.Count}");
        times.Max().ShouldBeLessThan(2);
    }

    [SkippableFact]
    public async Task A_thousand_short_tasks_run_once_each()
    {
        Need();
        await ThousandAsync("embedded", Ours, TimeSpan.FromSeconds(60));
    }

    [SkippableFact]
    public async Task A_thousand_short_tasks_on_HashiCorps_engine()
    {
        Need();
        await ThousandAsync("HashiCorp", [HashiCorp()], null);
    }

    [SkippableFact]
    public async Task Jobs_are_registered_through_raft_as_fast_as_on_HashiCorps_engine()
    {
        Need();
        var theirs = await RegistrationsAsync("HashiCorp", [HashiCorp()]);
        var ours = await RegistrationsAsync("embedded", Ours);
        Report($"registrations: embedded is {ours / theirs:0.0} times HashiCorp's");
        ours.ShouldBeGreaterThan(500);
        ours.ShouldBeGreaterThan(theirs);
    }

    [SkippableFact]
    public async Task No_acknowledged_write_and_no_allocation_is_lost_whatever_is_killed()
    {
        Need();
        var kills = int.Parse(Environment.GetEnvironmentVariable("NOMADSTACK_ENGINE_KILLS") ?? "200", CultureInfo.InvariantCulture);
        await using var cluster = await ProcessCluster.StartAsync(Ours, servers: 3, clients: 3);
        var acknowledged = new ConcurrentBag<string>();
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 3).Select(async writer =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var (id, server) = ($"w{writer}-{i}", cluster.Servers.ElementAt((writer + i) % 3));
                if (await cluster.PutAsync(server, "/v1/jobs", new JsonObject { ["Job"] = ProcessCluster.Job(id, "batch", 1, "/bin/true") })) acknowledged.Add(id);
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
            }
        }).ToList();

        var random = new Random(1);
        var started = Stopwatch.GetTimestamp();
        for (var kill = 0; kill < kills; kill++)
        {
            var victim = cluster.Names.ElementAt(random.Next(6));
            await cluster.KillAsync(victim);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(50, 400)), TimeProvider.System);
            cluster.Start(victim);
            // Two dead servers of three write nothing, which would be no load.
            await cluster.EventuallyAsync($"{victim} listens again", async () => await cluster.GetAsync(victim, "/v1/agent/self") is not null, TimeSpan.FromMilliseconds(30));
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        await cluster.EventuallyAsync("a leader", async () => await cluster.LeaderAsync() is not null);
        List<JsonNode> open = [];
        await cluster.EventuallyAsync("every job has ended", async () =>
        {
            if ((await cluster.GetAsync((await cluster.LeaderAsync()) ?? "s1", "/v1/jobs"))?.AsArray() is not { } jobs) return false;
            var dead = jobs.Where(j => (string?)j!["Status"] == "dead").Select(j => (string?)j!["ID"]).ToHashSet();
            return acknowledged.All(dead.Contains);
        });
        var allocations = (await cluster.GetAsync((await cluster.LeaderAsync())!, "/v1/allocations"))!.AsArray();
        var byJob = allocations.GroupBy(a => (string)a!["JobID"]!).ToDictionary(g => g.Key, g => g.ToList());
        var complete = acknowledged.Count(id => byJob.GetValueOrDefault(id)?.Any(a => (string?)a!["ClientStatus"] == "complete") == true);
        var rest = allocations.Where(a => (string?)a!["ClientStatus"] is not "complete").GroupBy(a => (string?)a!["ClientStatus"]).Select(g => $"{g.Count()} {g.Key}");
        Report($"{kills} SIGKILLs in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s under load: {acknowledged.Count} acknowledged jobs, {complete} of them have a complete allocation; others: {string.Join(", ", rest)}");
        complete.ShouldBe(acknowledged.Count);
    }

    private async Task ThousandAsync(string engine, IReadOnlyList<string> program, TimeSpan? bar)
    {
        await using var cluster = await ProcessCluster.StartAsync(program, servers: 3, clients: 3);
        var started = Stopwatch.GetTimestamp();
        (await cluster.PutAsync("s1", "/v1/jobs", new JsonObject { ["Job"] = ProcessCluster.Job("thousand", "batch", 1000, "/bin/true") })).ShouldBeTrue();
        await cluster.EventuallyAsync("all have ended", async () => (int?)(await cluster.GetAsync("s1", "/v1/job/thousand/summary"))?["Summary"]?["g"]?["Complete"] == 1000, TimeSpan.FromMilliseconds(250));
        var took = Stopwatch.GetElapsedTime(started);
        var all = (await cluster.GetAsync("s1", "/v1/job/thousand/allocations"))!.AsArray();
        var starts = all.Sum(a => a!["TaskStates"]!["t"]!["Events"]!.AsArray().Count(e => (string?)e!["Type"] == "Started"));
        Report($"1,000 /bin/true on 3 clients, {engine}: {took.TotalSeconds:0.0} s, {all.Count} allocations, {starts} starts");
        (all.Count, starts).ShouldBe((1000, 1000));
        if (bar is not null) took.ShouldBeLessThan(bar.Value);
    }

    private async Task<double> RegistrationsAsync(string engine, IReadOnlyList<string> program)
    {
        await using var cluster = await ProcessCluster.StartAsync(program, servers: 3, clients: 0);
        var leader = (await cluster.LeaderAsync())!;
        var (done, span) = (0, TimeSpan.FromSeconds(10));
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async caller =>
        {
            for (var i = 0; Stopwatch.GetElapsedTime(started) < span; i++)
            {
                if (!await cluster.PutAsync(leader, "/v1/jobs", new JsonObject { ["Job"] = ProcessCluster.Job($"r{caller}-{i}", "service", 0, "/bin/true") })) throw new InvalidOperationException(cluster.Logs());
                Interlocked.Increment(ref done);
            }
        }));
        var rate = done / Stopwatch.GetElapsedTime(started).TotalSeconds;
        Report($"registrations through raft, 3 servers, 16 callers, {engine}: {rate:0}/s");
        return rate;
    }

    private static void Need() => Skip.If(string.IsNullOrEmpty(s_program), "Measures for minutes: name the published program in NOMADSTACK_ENGINE_BARS.");

    private static string HashiCorp()
    {
        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "nomad")).FirstOrDefault(File.Exists);
        Skip.If(program is null, "No HashiCorp nomad on the PATH to compare with.");
        return program!;
    }

    private static double ResidentMegabytes(int pid) => long.Parse(File.ReadAllText($"/proc/{pid}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize / (double)Kilobyte / Kilobyte;

    private static long CpuTicks(int pid)
    {
        var fields = File.ReadAllText($"/proc/{pid}/stat").Split(") ")[1].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    private void Report(FormattableString line)
    {
        var text = line.ToString(CultureInfo.InvariantCulture);
        output.WriteLine(text);
        if (Environment.GetEnvironmentVariable("NOMADSTACK_ENGINE_REPORT") is { Length: > 0 } file) File.AppendAllText(file, text + "\n");
    }
}
