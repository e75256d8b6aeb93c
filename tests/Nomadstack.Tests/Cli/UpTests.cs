// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Storage;
using Nomadstack.Tests.Api;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class UpTests : IDisposable
{
    private readonly NodePaths _paths = new(Directory.CreateTempSubdirectory("nomadstack-test-").FullName);
    private readonly FakeAgentService _agent = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public UpTests()
    {
        _agent.OnStop = () =>
        {
            _stopped.TrySetResult();
            return Task.CompletedTask;
        };
        _agent.Script(FakeAgentService.Running("bootstrap", "one"), FakeAgentService.Running("bootstrap", "two") with { Done = [new("one", 1)] }, FakeAgentService.Running("bootstrap", "") with { State = Operation.Finished, EndedAt = DateTimeOffset.UtcNow.AddHours(1), Done = [new("one", 1), new("two", 2)] });
    }

    public void Dispose()
    {
        if (Directory.Exists(_paths.Data)) Directory.Delete(_paths.Data, recursive: true);
    }

    [Fact]
    public async Task ShowsItsOwnStepsThenWhereThingsAreAndCtrlCStopsEverything()
    {
        using var interrupt = new CancellationTokenSource();
        var typed = new Typed { Daemon = DaemonAsync };
        var up = typed.RunAsync(interrupt.Token, "up", "--data-dir", _paths.Data, "--servers", "1", "--no-consul");

        await Eventually(() => typed.Error.ToString().Contains("Ctrl-C stops everything", StringComparison.Ordinal), typed);
        typed.Error.ToString().ShouldContain("ok one");
        typed.Error.ToString().ShouldContain("ok two");
        typed.Error.ToString().ShouldContain("ok ready");
        typed.Error.ToString().ShouldContain("http://127.0.0.1:4646");
        _agent.Status = _agent.Status with { Cluster = _agent.Status.Cluster with { State = "degraded", Reason = "n2 is missing." } };
        await Eventually(() => typed.Error.ToString().Contains("-- degraded: n2 is missing.", StringComparison.Ordinal), typed);
        await interrupt.CancelAsync();

        (await up).ShouldBe(0);
        typed.Started.ShouldNotBeNull().Servers.ShouldBe(1);
        typed.Started.Without.ShouldBe([Role.Consul]);
        _agent.Asked.ShouldContain("stop");
        typed.Error.ToString().ShouldContain("everything stopped");
    }

    [Fact]
    public async Task ItIsReadyOnceTheAddressesThatItPrintsAnswer()
    {
        using var interrupt = new CancellationTokenSource();
        var listens = false;
        var typed = new Typed { Daemon = DaemonAsync, Listens = (_, _) => Task.FromResult(Volatile.Read(ref listens)) };
        var up = typed.RunAsync(interrupt.Token, "up", "--data-dir", _paths.Data);

        await Eventually(() => typed.Error.ToString().Contains("wait for Nomad to answer at http://127.0.0.1:4646", StringComparison.Ordinal), typed);
        typed.Error.ToString().ShouldNotContain("ok ready");
        Volatile.Write(ref listens, true);

        await Eventually(() => typed.Error.ToString().Contains("ok ready", StringComparison.Ordinal), typed);
        await interrupt.CancelAsync();
        (await up).ShouldBe(0);
    }

    [Fact]
    public async Task WhatTheStopWaitsForIsShown()
    {
        using var interrupt = new CancellationTokenSource();
        var up = new Typed { Live = true, Daemon = DaemonAsync };
        var goOn = new TaskCompletionSource();
        _agent.OnStop = async () =>
        {
            up.Started!.Waiting!("wait for tasks to end: db of 1234abcd");
            await goOn.Task;
            _stopped.TrySetResult();
        };
        var running = up.RunAsync(interrupt.Token, "up", "--data-dir", _paths.Data);
        await Eventually(() => up.Error.ToString().Contains("Ctrl-C stops everything", StringComparison.Ordinal), up);
        await interrupt.CancelAsync();

        await Eventually(() => up.Error.ToString().Contains("wait for tasks to end: db of 1234abcd", StringComparison.Ordinal), up);
        goOn.SetResult();
        (await running).ShouldBe(0);
    }

    [Fact]
    public async Task SaysWhatProvidesNomadAndWhyWhatRootWouldAddAndHowToGoOn()
    {
        using var interrupt = new CancellationTokenSource();
        var engine = new Dictionary<string, EngineVersion> { [Role.Nomad] = new("embedded", "0.1.0") { Why = "no nomad program was found" }, [Role.Consul] = new("none", "") { Why = "no consul program was found" } };
        _agent.Status = _agent.Status with { Engine = engine, Node = _agent.Status.Node with { Address = "127.0.0.1" } };
        var typed = new Typed { Daemon = DaemonAsync, User = new("alice", false, 1024), Alias = "alias nomadstack=/build/nomadstack" };
        var up = typed.RunAsync(interrupt.Token, "up", "--data-dir", _paths.Data);

        await Eventually(() => typed.Error.ToString().EndsWith(" status\n", StringComparison.Ordinal), typed);
        await interrupt.CancelAsync();
        await up;

        var said = typed.Error.ToString();
        said.ShouldStartWith("-- Nomad is nomadstack's embedded engine (no nomad program was found)");
        said.ShouldContain("-- without Consul: no consul program was found\n");
        said.ShouldContain("-- not root: jobs run as alice");
        said.ShouldContain("-- no other machine can join");
        said.ShouldContain("\n     alias nomadstack=/build/nomadstack\n");
        said.ShouldContain($"\n     nomadstack --data-dir {_paths.Data} job run ");
    }

    [Fact]
    public async Task AnAddressThatOthersReachIsALoudWarning()
    {
        using var interrupt = new CancellationTokenSource();
        _agent.Status = _agent.Status with { Node = _agent.Status.Node with { Address = "192.0.2.5" } };
        var typed = new Typed { Daemon = DaemonAsync, User = new("alice", false, 1024) };
        var up = typed.RunAsync(interrupt.Token, "up", "--bind", "192.0.2.5", "--data-dir", _paths.Data);

        await Eventually(() => typed.Error.ToString().EndsWith(" status\n", StringComparison.Ordinal), typed);
        await interrupt.CancelAsync();
        await up;

        typed.Error.ToString().ReplaceLineEndings(" ").ShouldContain("every machine that reaches 192.0.2.5 can run programs here as alice");
        typed.Error.ToString().ShouldNotContain("no other machine can join");
    }

    [Fact]
    public async Task ADaemonThatCannotStartEndsItWithItsProblem()
    {
        var typed = new Typed { Daemon = (_, _, _) => throw new ProblemException(new("agent/already-running", "An agent already runs: pid 7.", "One at a time.", "Use that one.")) };

        (await typed.RunAsync("up", "--data-dir", _paths.Data)).ShouldBe(1);

        typed.Error.ToString().ShouldBe("error: An agent already runs: pid 7.\nwhy:   One at a time.\nfix:   Use that one.\n");
    }

    [Fact]
    public async Task ARefusedBootstrapStopsEverythingAndIs4()
    {
        _agent.Script(FakeAgentService.Running("bootstrap", "look"), FakeAgentService.Running("bootstrap", "look") with { State = Operation.Refused, EndedAt = DateTimeOffset.UtcNow.AddHours(1), Problem = new("bootstrap/exists", "A cluster is reachable here.", "A second one would split it.", "Join it.") });
        _agent.Status = _agent.Status with { Cluster = _agent.Status.Cluster with { State = "bootstrapping" } };
        var typed = new Typed { Daemon = DaemonAsync };

        (await typed.RunAsync("up", "--data-dir", _paths.Data)).ShouldBe(4);

        typed.Error.ToString().ShouldContain("error: A cluster is reachable here.");
        _agent.Asked.ShouldContain("stop");
    }

    private async Task<int> DaemonAsync(AgentOptions options, bool up, CancellationToken cancel)
    {
        up.ShouldBeTrue();
        await using var host = await AgentHost.StartAsync(_agent, _paths);
        await _stopped.Task.WaitAsync(cancel);
        return 0;
    }

    private static async Task Eventually(Func<bool> condition, Typed typed)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        while (!condition())
        {
            deadline.IsCancellationRequested.ShouldBeFalse(typed.Error.ToString());
            await Task.Delay(20);
        }
    }
}
