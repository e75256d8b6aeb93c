// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Storage;
using Nomadstack.Tests.Api;
using Nomadstack.Timeline;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class TimelineTests
{
    private static readonly DateTimeOffset s_then = new(2030, 1, 1, 0, 0, 0, 250, TimeSpan.Zero);

    private static readonly TimelineDocument s_two = new(1,
        [new(s_then, "b", 1, "n1", "gate.closed", "The gate waits.\nFor a leader.") { Fields = new Dictionary<string, string> { ["reason"] = "a leader" } }, new(s_then.AddSeconds(1), "b", 9, "n2", "server.started", "Started.")],
        [new("n3", "no agent answers there"), new("n4", "no agent answers there")], true, "the clock of n2 is 2 hours ahead of this node's");

    [Fact]
    public async Task EachEventIsALineAndWhatIsMissingIsToldApart()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Timeline = _ => s_two;
        var typed = new Typed();

        (await typed.RunAsync("timeline", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Out.ToString().ShouldBe(
            "2030-01-01T00:00:00.250Z  n1          gate.closed         The gate waits. For a leader.\n"
            + "2030-01-01T00:00:01.250Z  n2          server.started      Started.\n");
        var error = string.Join(' ', typed.Error.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        error.ShouldContain("missing: n3, n4 (no agent answers there)");
        error.ShouldContain("the clock of n2 is 2 hours ahead of this node's");
        error.ShouldContain("there is more, and older");
    }

    [Fact]
    public async Task JsonHasTheNamesThatToolsRelyOn()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Timeline = _ => s_two;
        var typed = new Typed();

        (await typed.RunAsync("timeline", "--json", "--data-dir", host.Paths.Data)).ShouldBe(0);

        typed.Error.ToString().ShouldBeEmpty();
        var root = JsonDocument.Parse(typed.Out.ToString()).RootElement;
        root.EnumerateObject().Select(p => p.Name).ShouldBe(["schema", "events", "missing", "cut", "clocks"]);
        root.GetProperty("events")[0].EnumerateObject().Select(p => p.Name).ShouldBe(["at", "boot", "number", "node", "kind", "text", "fields"], ignoreOrder: true);
    }

    [Fact]
    public async Task WhatIsAskedForReachesTheAgent()
    {
        await using var host = await AgentHost.StartAsync();
        var typed = new Typed();
        var before = DateTimeOffset.UtcNow;

        (await typed.RunAsync("timeline", "--since", "1h", "--node", "n2", "--kind", "gate", "--data-dir", host.Paths.Data)).ShouldBe(0);

        var query = host.Agent.Asked.OfType<TimelineQuery>().Single();
        (query.Node, query.Kind).ShouldBe(("n2", "gate"));
        (query.Since!.Value - before.AddHours(-1)).Duration().ShouldBeLessThan(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task WithoutAnAgentTheDiskTellsAndOtherNodesAreRefused()
    {
        var paths = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-cli-timeline-").FullName);
        NodeFile.At(paths).Write(new NodeFile { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1" });
        new Journal(paths.Timeline, "n1", "b", TimeProvider.System, _ => { }).Tell(EventKinds.AgentStarted, "The agent has started.");

        var typed = new Typed();
        (await typed.RunAsync("timeline", "--data-dir", paths.Data)).ShouldBe(0);
        typed.Out.ToString().ShouldContain("n1          agent.started       The agent has started.");

        var explained = new Typed();
        (await explained.RunAsync("explain", "--json", "--data-dir", paths.Data)).ShouldBe(0);
        JsonDocument.Parse(explained.Out.ToString()).RootElement.GetProperty("state").GetString().ShouldBe("stopped");

        var other = new Typed();
        (await other.RunAsync("timeline", "--node", "n2", "--json", "--data-dir", paths.Data)).ShouldBe(1);
        other.Out.ToString().ShouldContain("timeline/only-own");
        Directory.Delete(paths.Data, recursive: true);
    }

    [Fact]
    public async Task ADrillThatLosesSomethingFailsAndShowsWhat()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Drilled = new(1, "power-cut", false, [new DrilledProduct("nomad", 3, 5666, 2.5, [new("kill all of them", 0.1)], [new("jobs", 2, 1, true), new("nodes", 3, 3, false)])]);
        var typed = new Typed();

        (await typed.RunAsync("drill", "power-cut", "--data-dir", host.Paths.Data)).ShouldBe(1);

        host.Agent.Asked.OfType<DrillRequest>().Single().What.ShouldBe("power-cut");
        typed.Out.ToString().ShouldContain("SOMETHING WAS LOST");
        typed.Out.ToString().ShouldContain("Nomad: 2.5 s until a server served again");
        typed.Out.ToString().ShouldMatch(@"nomad +jobs +2 +1 +yes");
    }
}
