// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The power of all machines goes, and what happened is told: with a leader, without one, without an agent, and with a machine that stays off.</summary>
public sealed class TimelineTests(ITestOutputHelper output) : Scenario(output)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task APowerCutOfAllNodesIsToldWithOneOfThemOff()
    {
        await using var cluster = await MachinesWithAsync(Embedded, 3, secure: true);
        await cluster.StartAllAsync();
        var (n1, n2, n3) = (cluster.Nodes[0], cluster.Nodes[1], cluster.Nodes[2]);
        (await ExplainAsync(cluster, n2)).ShouldContain("The cluster is healthy: 3 Nomad servers on n1, n2 and n3, led by");
        var all = await EventsAsync(cluster, n2);
        all.Select(e => e.Node).Distinct().ShouldBe(["n1", "n2", "n3"], ignoreOrder: true);
        new[] { "agent.started", "operation.done", "server.started", "client.started", "gate.opened", "leader.changed", "join", "handover.claimed" }.Except(all.Select(e => e.Kind)).ShouldBeEmpty();
        all.Select(e => e.At).ShouldBeInOrder();

        var cut = DateTimeOffset.UtcNow;
        await Task.WhenAll(cluster.Nodes.Select(node => node.PowerOffAsync()));
        await cluster.PowerOnAsync(n1);
        await cluster.StateAsync(n1, "no-quorum", TimeSpan.FromSeconds(60));

        // One of three: no leader, and nobody else to ask.
        await Eventually.NothingIsMissingAsync("explain names who is missing", s_deadline, async () =>
            await ExplainAsync(cluster, n1) is var told && told.Contains("Nomad: 3 servers are recorded, on n1, n2 and n3; 2 must reach each other to have a leader.", StringComparison.Ordinal) && told.Contains("; not there: n2 (since ", StringComparison.Ordinal)
                && told.Contains("On n1 the gate has waited", StringComparison.Ordinal) && told.Contains("Bring one of n2 or n3 back", StringComparison.Ordinal) ? null : told, cluster.Logs, Eventually.Unhurried);
        var alone = await TestCluster.RunAsync(n1, s_deadline, "timeline", "--since", "10m");
        alone.ExitCode.ShouldBe(0);
        alone.Stderr.ShouldContain("missing: n2, n3");
        alone.Stdout.ShouldContain("gate.closed");
        alone.Stdout.ShouldContain("peer.lost");

        // Two of three: a leader, and the third stays off.
        await cluster.PowerOnAsync(n2);
        await cluster.StateAsync(n1, "degraded", TimeSpan.FromSeconds(60));
        await Eventually.NothingIsMissingAsync("both gates are open", s_deadline, async () =>
            (await EventsAsync(cluster, n1)).Where(e => e.At > cut && e.Kind == "gate.opened").Select(e => e.Node).Distinct().Count() is var open and < 2 ? $"{2 - open} of them" : null, cluster.Logs, Eventually.Unhurried);
        var boot = await ExplainAsync(cluster, n2);
        Say($"{boot}");
        boot.ShouldContain("n1 and n2 came back from a stop or a power cut");
        boot.ShouldContain("no start is known of n3");
        boot.ShouldContain("What happened on n3 is not known");
        (await EventsAsync(cluster, n1, "--node", "n2", "--kind", "agent")).ShouldAllBe(e => e.Node == "n2" && e.Kind.StartsWith("agent", StringComparison.Ordinal));

        // No agent: the disk alone.
        await cluster.KillAgentAsync(n2);
        var dead = await ExplainAsync(cluster, n2);
        dead.ShouldContain("The agent of n2 does not run, so this is told from its disk alone. It ended without a word");
        dead.ShouldContain("Running without it:");
        (await EventsAsync(cluster, n2)).Select(e => e.Node).Distinct().ShouldBe(["n2"]);

        await NoSecretAsync(cluster, n1);
    }

    /// <summary>What lets a person into the products is in no timeline.</summary>
    private static async Task NoSecretAsync(TestCluster cluster, LabNode node)
    {
        var variables = (await cluster.MustAsync(node, s_deadline, "env")).Split('\n').Where(line => line.Contains("TOKEN=", StringComparison.Ordinal)).Select(line => line.Split('=', 2)[1].Trim('\'', '"', ' ')).ToList();
        variables.ShouldNotBeEmpty();
        foreach (var each in cluster.Nodes)
        {
            foreach (var file in Directory.GetFiles(each.Disk, "timeline.jsonl*", SearchOption.AllDirectories))
            {
                var text = await File.ReadAllTextAsync(file);
                variables.ShouldAllBe(secret => !text.Contains(secret));
                text.ShouldNotContain("PRIVATE KEY");
            }
        }
    }

    private static Task<string> ExplainAsync(TestCluster cluster, LabNode node) => UnwrappedAsync(cluster.MustAsync(node, s_deadline, "explain"));

    /// <summary>Paragraphs as one line each.</summary>
    private static async Task<string> UnwrappedAsync(Task<string> text) => string.Join("\n\n", (await text).Split("\n\n").Select(p => p.Replace("\n", " ", StringComparison.Ordinal)));

    private static async Task<List<Told>> EventsAsync(TestCluster cluster, LabNode node, params string[] more)
    {
        using var document = JsonDocument.Parse(await cluster.MustAsync(node, s_deadline, ["timeline", "--json", .. more]));
        return [.. document.RootElement.GetProperty("events").EnumerateArray().Select(e => new Told(e.GetProperty("at").GetDateTimeOffset(), e.GetProperty("node").GetString()!, e.GetProperty("kind").GetString()!))];
    }

    private sealed record Told(DateTimeOffset At, string Node, string Kind);
}
