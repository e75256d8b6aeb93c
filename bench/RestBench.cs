// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;

namespace Nomadstack.Bench;

/// <summary>
/// What lies on a node that has nothing to do: memory and processor of our agent against one plain Nomad client, of the embedded engine, and the plugin's start.
/// PSS counts a page that several processes share as a part for each: two Nomads on a node share their program's pages.
/// </summary>
internal static class RestBench
{
    private const int Launches = 20;
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(30);

    public static async Task<string> RunAsync(IReadOnlyList<string> sides, int seconds)
    {
        var table = new StringBuilder($"\nAt rest, one node, {seconds} s\n\n| process | RSS MiB | PSS MiB | CPU % of a core |\n|---|---|---|---|\n");
        var rows = new Dictionary<string, Rest>();
        foreach (var side in sides)
        {
            await foreach (var (name, rest) in side switch { "plain" => PlainAsync(seconds), "ours" => OursAsync(seconds, table), _ => EmbeddedAsync(seconds) }) rows[name] = rest;
        }

        var lines = new StringBuilder();
        foreach (var (name, rest) in rows) lines.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {rest.Rss / 1024.0:0.0} | {rest.Pss / 1024.0:0.0} | {rest.Cpu:0.00} |");
        if (rows.TryGetValue("nomad client (plain)", out var plain) && rows.TryGetValue("nomadstack agent", out var agent))
            lines.AppendLine(CultureInfo.InvariantCulture, $"| agent : client (bar ≤ 0.75; CPU ≤ 0.5 % of a core) | {(double)agent.Rss / plain.Rss:0.00} | {(double)agent.Pss / plain.Pss:0.00} | |");
        return table.ToString().Replace("|---|---|---|---|\n", "|---|---|---|---|\n" + lines, StringComparison.Ordinal);
    }

    private static async IAsyncEnumerable<(string, Rest)> PlainAsync(int seconds)
    {
        await using var lab = await Lab.CreateAsync((await RealEngines.FindAsync()).Tools());
        var node = await lab.AddAsync();
        var plain = new PlainCluster(lab);
        await plain.StartAsync();
        await plain.ReadyAsync(TimeSpan.FromMinutes(2));
        await Task.Delay(s_settle);
        var measured = await MeasureAsync(seconds,
            ("nomad client (plain)", node.Pids().Single(process => process.CommandLine.EndsWith("client.hcl", StringComparison.Ordinal))),
            ("nomad server (plain)", node.Pids().Single(process => process.CommandLine.EndsWith("server.hcl", StringComparison.Ordinal))));
        foreach (var row in measured) yield return row;
    }

    private static async IAsyncEnumerable<(string, Rest)> OursAsync(int seconds, StringBuilder notes)
    {
        await using var cluster = await TestCluster.CreateAsync(1);
        await cluster.StartAllAsync();
        await Task.Delay(s_settle);
        var node = cluster.Nodes[0];
        List<(string, NodeProcess)> processes = [("nomadstack agent", cluster.Agent(node).Process!)];
        processes.AddRange(node.Pids().Where(process => process.CommandLine.Contains("/lifelines/", StringComparison.Ordinal)).Select(plugin => ("plugin", plugin)));
        processes.AddRange(EngineProcess.On(node).Select(engine => ($"{engine.Product} {(engine.Kind == EngineKind.Client ? "client" : "server")} (ours)", engine.Process)));
        foreach (var row in await MeasureAsync(seconds, [.. processes])) yield return row;
        notes.Append(await HandshakesAsync(node));
    }

    private static async IAsyncEnumerable<(string, Rest)> EmbeddedAsync(int seconds)
    {
        await using var cluster = await TestCluster.CreateAsync(1, consul: false, engine: "embedded");
        await cluster.StartAllAsync();
        await Task.Delay(s_settle);
        var node = cluster.Nodes[0];
        List<(string, NodeProcess)> processes = [("nomadstack agent (embedded)", cluster.Agent(node).Process!)];
        processes.AddRange(EngineProcess.On(node).Select(engine => ($"embedded {(engine.Kind == EngineKind.Client ? "client" : "server")}", engine.Process)));
        foreach (var row in await MeasureAsync(seconds, [.. processes])) yield return row;
    }

    /// <summary>Launches the plugin as Nomad does and waits for its first line.</summary>
    private static async Task<string> HandshakesAsync(LabNode node)
    {
        // bash itself keeps the time, so that entering the node is not counted.
        var script = $$"""
            export NOMAD_PLUGIN_MAGIC_COOKIE=e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255
            for _ in $(seq {{Launches}}); do
              s=$EPOCHREALTIME
              coproc P { exec {{TestCluster.DataFolder}}/nomad/plugins/nomadstack; }
              read -t 5 -r line <&"${P[0]}"
              e=$EPOCHREALTIME
              echo "$s $e $line"
              kill $P_PID; wait $P_PID 2>/dev/null
            done
            """;
        var run = await node.ExecAsync(["bash", "-c", script], TimeSpan.FromMinutes(2));
        var times = run.Stdout.Split('\n').Select(line => line.Split(' ')).Where(words => words.Length == 3 && words[2].StartsWith("1|2|unix|", StringComparison.Ordinal))
            .Select(words => (double.Parse(words[1], CultureInfo.InvariantCulture) - double.Parse(words[0], CultureInfo.InvariantCulture)) * 1000).Order().ToList();
        return times.Count == 0
            ? $"\nPlugin: no handshake seen. {run}\n"
            : string.Create(CultureInfo.InvariantCulture, $"\nPlugin, exec to handshake, {times.Count} of {Launches} launches: median {times[times.Count / 2]:0.0} ms, most {times[^1]:0.0} ms (bar ≤ 30 ms; RSS above: bar ≤ 3 MB)\n");
    }

    private static async Task<IReadOnlyList<(string, Rest)>> MeasureAsync(int seconds, params (string Name, NodeProcess Process)[] processes)
    {
        var before = processes.Select(one => one.Process.CpuTicks()).ToList();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        return [.. processes.Select((one, i) =>
        {
            var (rss, pss) = one.Process.Memory();
            return (one.Name, new Rest(rss, pss, (one.Process.CpuTicks() - before[i]) / (double)seconds)); // a tick is 10 ms: 1 % of a second
        })];
    }

    private sealed record Rest(long Rss, long Pss, double Cpu);
}
