// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Dev;
using Nomadstack.Storage;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class ExitCodeTests
{
    [Fact]
    public async Task DoneIs0()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("bootstrap", "start") with { State = Operation.Finished });

        (await new Typed().RunAsync("bootstrap", "--data-dir", host.Paths.Data)).ShouldBe(0);
    }

    [Fact]
    public async Task NodesOfARoomWithoutPowerAreNotStartedOneByOne()
    {
        var room = new NodePaths(Directory.CreateTempSubdirectory("nomadstack-room-").FullName);
        try
        {
            DevRoom.Make(room, 2);
            var typed = new Typed();

            (await typed.RunAsync("status", "--data-dir", room.Data)).ShouldBe(5);

            typed.Error.ToString().ShouldContain($"fix:   Run `nomadstack dev power-on`, or start the nodes with `nomadstack up --dev-nodes N`. Give both --data-dir {room.Data}.");
        }
        finally
        {
            Directory.Delete(room.Data, recursive: true);
        }
    }

    [Fact]
    public async Task FailedIs1()
    {
        await using var host = await AgentHost.StartAsync();
        var problem = new Problem("bootstrap/preflight", "Port 4647 is taken.", "Another Nomad listens there.", "Stop it.");
        host.Agent.Script(FakeAgentService.Running("bootstrap", "preflight"), FakeAgentService.Running("bootstrap", "preflight") with { State = Operation.Failed, Problem = problem });
        var typed = new Typed();

        (await typed.RunAsync("bootstrap", "--data-dir", host.Paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldEndWith("error: Port 4647 is taken.\nwhy:   Another Nomad listens there.\nfix:   Stop it.\n");
        typed.Out.ToString().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("bogus")]
    [InlineData("status", "--wach")]
    [InlineData("token")]
    [InlineData("node", "drain")]
    [InlineData("wait")]
    [InlineData("wait", "--for", "health")]
    [InlineData("wait", "--for", "healthy", "--timeout", "12")]
    [InlineData("up", "--servers", "2")]
    [InlineData("up", "--bind", "host.example")]
    [InlineData("up", "--port", "nomad=1")]
    [InlineData("agent", "--join", "10.0.0.1")]
    [InlineData("agent", "--token-file", "/t")]
    [InlineData]
    public async Task WrongUsageIs2AndSaysWhereToLook(params string[] args)
    {
        var typed = new Typed();

        (await typed.RunAsync(args)).ShouldBe(2);

        typed.Out.ToString().ShouldBeEmpty();
        typed.Error.ToString().ShouldContain("error: ");
        typed.Error.ToString().ShouldContain("\nfix:   ");
        typed.Started.ShouldBeNull();
    }

    [Fact]
    public async Task AMistypedWordIsGuessed()
    {
        var typed = new Typed();

        await typed.RunAsync("statsu");

        typed.Error.ToString().ShouldContain("Did you mean status?");
        typed.Error.ToString().ShouldNotContain("Required command");
    }

    [Fact]
    public async Task NotInTimeIs3WithTheLastReason()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Status = FakeAgentService.Healthy() with { Cluster = new("c", "degraded", "Server n2 is missing since 12:00.", 3) };
        var typed = new Typed();

        (await typed.RunAsync("wait", "--for", "healthy", "--timeout", "300ms", "--data-dir", host.Paths.Data)).ShouldBe(3);

        typed.Error.ToString().ShouldContain("Server n2 is missing since 12:00");
    }

    [Theory]
    [InlineData(Operation.Refused)]
    [InlineData(Operation.Failed)]
    public async Task RefusedAsUnsafeIs4(string state)
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("drain", "look") with { State = state, Problem = new("drain/last-voter", "n1 holds the last voter.", "Without it no write is possible.", "Add a node first.") { Unsafe = state == Operation.Failed } });

        (await new Typed().RunAsync("node", "drain", "n1", "--data-dir", host.Paths.Data)).ShouldBe(4);
    }

    [Fact]
    public async Task ARefusalByTheAgentIs4()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Refusal = new Problem("node/reachable", "n2 is reachable.", "It could come back.", "Drain it first.") { Unsafe = true };

        (await new Typed().RunAsync("node", "remove", "n2", "--data-dir", host.Paths.Data)).ShouldBe(4);
    }

    [Fact]
    public async Task NoAgentIs5AlsoInJson()
    {
        var typed = new Typed();

        (await typed.RunAsync("status", "--json", "--data-dir", "/nonexistent/x")).ShouldBe(5);

        using var problem = JsonDocument.Parse(typed.Out.ToString());
        problem.RootElement.GetProperty("code").GetString().ShouldBe("agent/unreachable");
        problem.RootElement.GetProperty("fix").GetString()!.ShouldContain("nomadstack up");
    }

    [Fact]
    public async Task AnInterruptedCommandIs130AndTheOperationGoesOn()
    {
        await using var host = await AgentHost.StartAsync();
        host.Agent.Script(FakeAgentService.Running("bootstrap", "wait"));
        using var interrupt = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var typed = new Typed();

        (await typed.RunAsync(interrupt.Token, "bootstrap", "--data-dir", host.Paths.Data)).ShouldBe(130);

        typed.Error.ToString().ShouldContain("goes on");
    }
}
