// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Whatever is sent to a socket of ours, from wherever: nothing dies of it, and nothing of it stays.</summary>
[Collection(Timed.Name)]
public sealed class HostileInputTests(ITestOutputHelper output) : Scenario(output)
{
    /// <summary>What a process may keep beside what it had: code that ran for the first time, pools and buffers that are used again.</summary>
    private const long KeptKib = 48 << 10;

    private const int KeptDescriptors = 16;

    /// <summary>So that nobody can fill the disk with our own words.</summary>
    private const long LogBytesPerSecond = 4096;

    private static readonly TimeSpan s_calm = TimeSpan.FromSeconds(120);

    /// <param name="engine">Of HashiCorp's engine only our own processes are attacked.</param>
    [SkippableTheory]
    [InlineData(Embedded)]
    [InlineData(Nomad)]
    public async Task NothingDiesAndNothingStays(string engine)
    {
        if (engine == Nomad) OnlyInLongRuns();
        await using var cluster = await MachinesWithAsync(engine, 1, secure: true);
        await cluster.StartAllAsync();
        var node = cluster.Nodes[0];
        await cluster.LetWriterInAsync(node);
        await cluster.RunWorkloadAsync();
        var before = await Invariants.HoldAsync(cluster, 1);
        using var sockets = new NodeSockets(node);
        var targets = sockets.Listeners(IsOurs);
        Say($"{engine}: {string.Join("; ", targets)}");
        targets.Count(t => t.Kind == "unix").ShouldBeGreaterThan(0);
        targets.Count(t => t.Kind == "tcp").ShouldBeGreaterThan(engine == Embedded ? 2 : 0, "the engine's own sockets are attacked as well");
        var owners = targets.Select(t => t.Owner).DistinctBy(o => o.Pid).ToList();
        var had = owners.ToDictionary(o => o.Pid, o => (Memory: o.Memory().Rss, Descriptors: o.Descriptors().Count));
        var logs = LogBytes(node);

        using var stolen = Stolen(node);
        var hostility = new Hostility(sockets, stolen);
        var lasts = TimeSpan.FromSeconds(Number("NOMADSTACK_HOSTILE_SECONDS", 30));
        var seed = Dice().Next();
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(hand => Task.Run(async () =>
        {
            var dice = new Random(seed + hand);
            while (clock.Elapsed < lasts) await hostility.AttackAsync(targets[dice.Next(targets.Count)], dice, CancellationToken.None);
        })));

        foreach (var owner in owners) owner.Alive.ShouldBeTrue($"{owner.CommandLine} died. {cluster.Logs()}");
        var calm = await Eventually.NothingIsMissingAsync("memory and descriptors are back", s_calm, () => Task.FromResult(owners.Select(o => Kept(o, had[o.Pid])).FirstOrDefault(k => k is not null)), cluster.Logs, Eventually.Unhurried);
        Say($"{engine}: {hostility.Attacks} attacks in {clock.Elapsed.TotalSeconds:0} s; calm {calm.TotalSeconds:0.0} s after the last");
        foreach (var owner in owners) Say($"  {string.Join(' ', owner.Arguments.Take(3))}: {had[owner.Pid].Memory >> 10} → {owner.Memory().Rss >> 10} MiB, {had[owner.Pid].Descriptors} → {owner.Descriptors().Count} descriptors");
        var written = LogBytes(node) - logs;
        Say($"{engine}: {written >> 10} KiB of logs");
        written.ShouldBeLessThan((long)(clock.Elapsed.TotalSeconds * LogBytesPerSecond) + (1 << 20));
        sockets.Listeners(IsOurs).Select(t => t.ToString()).Order().ShouldBe(targets.Select(t => t.ToString()).Order());
        var after = await Invariants.HoldAsync(cluster, 1, before);
        Invariants.SameServerProcesses(before, after);
        Invariants.SameAllocations(before, after);
        Invariants.NothingRestarted(before, after);
    }

    /// <summary>Everything that runs from our own program, whatever its file is called: agent, engine, plugins, keepers.</summary>
    private static bool IsOurs(NodeProcess process) => process.Program == "nomadstack" || process.Program == Path.GetFileName(Environment.GetEnvironmentVariable("NOMADSTACK_BINARY") ?? "");

    private static string? Kept(NodeProcess process, (long Memory, int Descriptors) had) =>
        process.Memory().Rss > had.Memory + KeptKib ? $"pid {process.Pid} ({process.CommandLine}) has {process.Memory().Rss >> 10} MiB, and had {had.Memory >> 10}"
        : process.Descriptors().Count > had.Descriptors + KeptDescriptors ? $"pid {process.Pid} ({process.CommandLine}) has {process.Descriptors().Count} descriptors, and had {had.Descriptors}"
        : null;

    private static long LogBytes(LabNode node) => new DirectoryInfo(Path.Combine(node.Data, "log")).GetFiles().Sum(f => f.Length);

    /// <summary>What an operator's laptop holds.</summary>
    private static X509Certificate2 Stolen(LabNode node) =>
        X509Certificate2.CreateFromPemFile(Path.Combine(node.Srv, "keys", "nomad.pem"), Path.Combine(node.Srv, "keys", "nomad-key.pem"));
}
