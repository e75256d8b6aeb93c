// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json.Nodes;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Nomadstack.Peers;
using Nomadstack.Storage;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Release 0.1.0 and the program under test in one cluster, the normal state of an upgrade.</summary>
public sealed class MixedReleasesTests(ITestOutputHelper output) : Scenario(output)
{
    private const string All = "NOMADSTACK_MIXED_RELEASES";

    [SkippableTheory]
    [InlineData(Embedded, true)]
    [InlineData(Embedded, false)]
    [InlineData(Nomad, true)]
    public async Task TheyJoinHandOverAndBootColdTogetherAndASettingPassesThroughTheOlder(string engine, bool releasedFirst)
    {
        var everyday = engine == Embedded && releasedFirst;
        Skip.IfNot(everyday || Environment.GetEnvironmentVariable(All) == "1", $"one pairing of releases is tried every day; {All}=1 tries all");
        if (engine == Nomad) await NeedsAsync(consul: false);
        Skip.If(await Lab.WhyNotAsync() is not null, await Lab.WhyNotAsync());
        var (released, whyNot) = await ReleasedProgram.BuiltAsync();
        Skip.If(released is null, whyNot);
        var clock = Stopwatch.StartNew();
        await using var cluster = await MixedCluster.CreateAsync(engine, released!);

        // One begins, the other joins it.
        var one = await cluster.AddAsync(releasedFirst);
        var two = await cluster.AddAsync(!releasedFirst);
        var (old, today) = releasedFirst ? (one, two) : (two, one);
        await cluster.BootstrapAsync(one);
        await cluster.JoinAsync(two, one);
        await cluster.HealthyAsync(1, one, two);
        Say($"{clock.Elapsed.TotalSeconds:0} s: joined");

        // The only server moves over, and back.
        await MovesAsync(cluster, one, two);
        await MovesAsync(cluster, two, one);
        Say($"{clock.Elapsed.TotalSeconds:0} s: handed over and back");

        await Task.WhenAll(one.PowerOffAsync(), two.PowerOffAsync());
        await Task.WhenAll(cluster.PowerOnAsync(one), cluster.PowerOnAsync(two));
        await cluster.HealthyAsync(1, one, two);
        Say($"{clock.Elapsed.TotalSeconds:0} s: booted cold");

        // A third one of today is let in by the older.
        var third = await cluster.AddAsync(released: false);
        await cluster.JoinAsync(third, old);
        await cluster.HealthyAsync(3, one, two, third);
        Say($"{clock.Elapsed.TotalSeconds:0} s: three servers");

        // The two of today never meet: one is down while the other knows the setting.
        await cluster.KillAgentAsync(third);
        await cluster.KillAgentAsync(today);
        Write(today, "test.note", "through");
        cluster.StartAgent(today);
        await Eventually.TrueAsync("the older carries the setting", TimeSpan.FromSeconds(30), () =>
            Task.FromResult(MixedCluster.Membership(old)["tokens"]!.AsObject().ContainsKey("~s:test.note")), cluster.Logs);
        await cluster.KillAgentAsync(today);
        cluster.StartAgent(third);
        await Eventually.TrueAsync("the setting has come through", TimeSpan.FromSeconds(30), () => Task.FromResult(Settings(third)?["test.note"]?["value"]?.GetValue<string>() == "through"), cluster.Logs);
        MixedCluster.Membership(third)["nodes"]![Id(today)]!["signed"].ShouldNotBeNull("whole entries come through as well");
        cluster.StartAgent(today);
        await cluster.HealthyAsync(3, one, two, third);

        // To a person of the older release carriers are revoked tokens, to one of today they are nothing.
        (await cluster.MustAsync(today, TimeSpan.FromSeconds(20), "token", "list")).ShouldNotContain("~");
        Say($"{clock.Elapsed.TotalSeconds:0} s: done");
    }

    private static async Task MovesAsync(MixedCluster cluster, LabNode from, LabNode to)
    {
        await cluster.MustAsync(from, TimeSpan.FromMinutes(3), "node", "drain", from.Name);
        await Eventually.NothingIsMissingAsync($"the server is on {to.Name} alone", TimeSpan.FromMinutes(2), async () =>
            await cluster.ServersAsync(to) is [var node] && node == to.Name ? null : string.Join(", ", await cluster.ServersAsync(to)), cluster.Logs, Eventually.Unhurried);
        await cluster.MustAsync(from, TimeSpan.FromSeconds(30), "node", "drain", from.Name, "--disable");
        await cluster.HealthyAsync(1, from, to);
    }

    /// <summary>Writes a setting as the agent of a node would, while it is down.</summary>
    private static void Write(LabNode node, string name, string value)
    {
        var paths = new NodePaths(node.Data);
        var membership = new Membership(paths, NodeFile.At(paths).Read()!, TimeProvider.System);
        membership.Load();
        membership.Set(name, value);
    }

    private static JsonNode? Settings(LabNode node) => MixedCluster.Membership(node)["settings"];

    private static string Id(LabNode node) => JsonNode.Parse(File.ReadAllText(Path.Combine(node.Data, "node.json")))!["id"]!.GetValue<string>();
}
