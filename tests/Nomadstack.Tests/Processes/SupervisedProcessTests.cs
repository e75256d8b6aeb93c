// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Runtime.InteropServices;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class SupervisedProcessTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    private readonly ProcessFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task TheIntentIsDurableBeforeTheSpawnAndTheIdentityAfterIt()
    {
        await using var process = _folder.Supervise();
        await using var failing = _folder.Supervise("x");

        await process.StartAsync(_folder.Sleep(), CancellationToken.None);
        await Should.ThrowAsync<ProblemException>(failing.StartAsync(new("x", "/nowhere/nomad", [], _folder.Log("x")), CancellationToken.None));

        Record("sleeper").Read().ShouldNotBeNull().Process.ShouldBe(process.Status.Running);
        foreach (var name in (string[])["sleeper", "x"])
        {
            var before = await File.ReadAllTextAsync($"{_folder.Records}/{name}.json.previous");
            before.ShouldContain("\"wanted\": true");
            before.ShouldContain("\"process\": null");
        }

        File.GetUnixFileMode($"{_folder.Records}/sleeper.json").ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task WhatWasDetachedIsAdoptedByTheNext()
    {
        var first = _folder.Supervise();
        var running = (await first.StartAsync(_folder.Sleep(), CancellationToken.None)).Running!;
        await first.DetachAsync();
        ProcFs.IsAlive(running).ShouldBeTrue();

        await using var second = _folder.Supervise();
        var status = await second.OpenAsync(CancellationToken.None);

        status.Running.ShouldBe(running);
        status.Wanted.ShouldBeTrue();
        status.StartedAt!.Value.ShouldBe(DateTimeOffset.UtcNow, TimeSpan.FromMinutes(1));
        (await second.StartAsync(_folder.Sleep(), CancellationToken.None)).Running.ShouldBe(running);
        _folder.Living().ShouldBe([running.Pid]);
        await Should.ThrowAsync<ObjectDisposedException>(first.StartAsync(_folder.Sleep(), CancellationToken.None));
    }

    [Fact]
    public async Task ARenewedProcessRunsOnAndStartsWithTheNewSpecAfterACrash()
    {
        await using var process = _folder.Supervise();
        var running = (await process.StartAsync(_folder.Sleep(), CancellationToken.None)).Running!;

        process.Renew(_folder.Sleep(seconds: "500"));
        process.Pid.ShouldBe(running.Pid);
        PidFd.Signal(running, Signals.SIGKILL);
        await ProcessFolder.Eventually("it is restarted", () => process.Pid is { } pid && pid != running.Pid);

        ProcFs.SettledCommandLine(process.Pid!.Value).ShouldBe(["/bin/sleep", "500"]);
        _folder.Living().ShouldBe([process.Pid.Value]);
    }

    [Fact]
    public async Task ARenewedProcessIsAdoptedByTheNextAgent()
    {
        var first = _folder.Supervise();
        var running = (await first.StartAsync(_folder.Sleep(), CancellationToken.None)).Running!;
        first.Renew(_folder.Sleep(seconds: "500"));
        await first.DetachAsync();

        await using var second = _folder.Supervise();

        (await second.StartAsync(_folder.Sleep(seconds: "500"), CancellationToken.None)).Running.ShouldBe(running);
        _folder.Living().ShouldBe([running.Pid]);
    }

    [Theory]
    [InlineData("after the start")]
    [InlineData("before the record of the spawn")]
    public async Task OutlivesTheSigkillOfTheAgentThatStartedIt(string moment)
    {
        var dotnet = Path.GetFullPath("../../../dotnet", RuntimeEnvironment.GetRuntimeDirectory());
        var info = new ProcessStartInfo(dotnet, ["exec", typeof(StartupHook).Assembly.Location]);
        info.Environment["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location;
        info.Environment[StartupHook.Folder] = _folder.Path;
        info.Environment[StartupHook.Moment] = moment;
        using (var agent = Process.Start(info)!)
        {
            await agent.WaitForExitAsync();
            agent.ExitCode.ShouldBe(128 + Signals.SIGKILL);
        }

        await using var process = _folder.Supervise();
        var status = await process.StartAsync(_folder.Sleep(), CancellationToken.None);

        Kinds().ShouldBe([ProcessEventKind.Adopted]);
        var pid = status.Pid.ShouldNotBeNull();
        _folder.Living().ShouldBe([pid]);
        ProcFs.Stat(pid)!.Parent.ShouldNotBe(Environment.ProcessId);
        await process.StopAsync(Signals.SIGTERM, Long, CancellationToken.None);
        process.Status.LastExit!.Exit.ShouldBe(ProcessExit.Unknown);
        _folder.Living().ShouldBeEmpty();
    }

    [Fact]
    public async Task AnOrphanOfAnAgentKilledBetweenSpawnAndRecordIsAdopted()
    {
        Record("sleeper").Write(new() { Spec = _folder.Sleep(), Wanted = true, BootId = ProcFs.BootId });
        var orphan = _folder.Spawner.Spawn(_folder.Sleep());

        await using var process = _folder.Supervise();
        var status = await process.StartAsync(_folder.Sleep(), CancellationToken.None);

        status.Running.ShouldBe(orphan);
        _folder.Living().ShouldBe([orphan.Pid]);
        Record("sleeper").Read()!.Process.ShouldBe(orphan);
    }

    [Fact]
    public async Task AnOrphanWhoseRecordWasLostIsAdoptedAtTheStart()
    {
        var orphan = _folder.Spawner.Spawn(_folder.Sleep());

        await using var process = _folder.Supervise();

        (await process.StartAsync(_folder.Sleep(), CancellationToken.None)).Running.ShouldBe(orphan);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AReusedPidIsNotAdopted(bool sameBoot)
    {
        var stranger = ProcFs.Identify(Environment.ProcessId)!;
        var recorded = sameBoot ? stranger with { StartTicks = stranger.StartTicks - 1 } : stranger with { BootId = "2c5d3f5e-0000-4000-8000-000000000000" };
        Record("sleeper").Write(new() { Spec = _folder.Sleep(), Wanted = true, Process = recorded, BootId = recorded.BootId });

        await using var process = _folder.Supervise();
        var opened = await process.OpenAsync(CancellationToken.None);

        opened.Running.ShouldBeNull();
        opened.Wanted.ShouldBeTrue();
        (await process.StartAsync(_folder.Sleep(), CancellationToken.None)).Pid.ShouldNotBe(Environment.ProcessId);
    }

    [Fact]
    public async Task AnotherSpecIsLeftToTheCaller()
    {
        await using var process = _folder.Supervise();
        var running = (await process.StartAsync(_folder.Sleep(), CancellationToken.None)).Running;

        var refused = await Should.ThrowAsync<ProblemException>(process.StartAsync(_folder.Sleep(seconds: "601"), CancellationToken.None));

        refused.Problem.Code.ShouldBe("process/other-spec");
        process.Status.Running.ShouldBe(running);
        process.Status.Spec!.Arguments.ShouldBe(["600"]);
    }

    [Fact]
    public async Task IsRestartedWhenItEndsAndTellsHowItEnded()
    {
        await using var process = _folder.Supervise("shell");
        // Ends the first time, runs the second.
        var spec = _folder.Shell($"echo earlier; [ -e {_folder.Path}/again ] && exec sleep 600; touch {_folder.Path}/again; for i in 1 2 3 4 5 6; do echo line $i; done; exit 3");
        Directory.CreateDirectory(Path.GetDirectoryName(spec.LogFile)!);
        await File.WriteAllTextAsync(spec.LogFile, "of an older run\n");

        var first = (await process.StartAsync(spec, CancellationToken.None)).Running;
        await ProcessFolder.Eventually("restarted", () => Kinds().Count == 4);

        process.Status.Running.ShouldNotBeNull().ShouldNotBe(first);
        process.Status.LastExit!.Exit.ShouldBe(new ProcessExit(3, null));
        process.Status.LastExit.LastLines.ShouldBe(["line 2", "line 3", "line 4", "line 5", "line 6"]);
        Kinds().ShouldBe([ProcessEventKind.Started, ProcessEventKind.Exited, ProcessEventKind.RestartPlanned, ProcessEventKind.Started]);
        var record = Record("shell").Read()!;
        record.Restarts.ShouldBe(1);
        record.Process.ShouldBe(process.Status.Running);
    }

    [Fact]
    public async Task OnlyThisRunsLinesAreTold()
    {
        var spec = _folder.Shell("exit 1");
        Directory.CreateDirectory(Path.GetDirectoryName(spec.LogFile)!);
        await File.WriteAllTextAsync(spec.LogFile, "of an older run\n");
        await using var process = _folder.Supervise("shell");

        await process.StartAsync(spec, CancellationToken.None);
        await ProcessFolder.Eventually("ended", () => process.Status.LastExit is not null);

        process.Status.LastExit!.LastLines.ShouldBeEmpty();
    }

    [Fact]
    public void WhatEndsAgainAndAgainIsToldInItsLastWordsAndWhatRunsForAMinuteIsNot()
    {
        var now = DateTimeOffset.UnixEpoch;
        var process = new ProcessIdentity(7, 8, "boot");
        var end = new ProcessEnd(now, process, new(1, null), ["[INFO] starting", "==> Error: the disk is gone.", "    at line 7"]);
        var between = ProcessStatus.Never with { Wanted = true, LastExit = end, Restarts = 2 };

        between.HowItEnded(now.AddHours(1)).ShouldBe("exit code 1: Error: the disk is gone");
        (between with { Running = process }).HowItEnded(now.AddSeconds(30)).ShouldBe("exit code 1: Error: the disk is gone");
        (between with { Running = process }).HowItEnded(now.AddMinutes(2)).ShouldBeEmpty();
        (between with { Running = process, Restarts = 0 }).HowItEnded(now).ShouldBeEmpty();
        (between with { Wanted = false }).HowItEnded(now).ShouldBeEmpty();
        (between with { LastExit = null }).HowItEnded(now).ShouldBeEmpty();
    }

    /// <summary>As Nomad 1.1.2, Consul 1.8.7 and the embedded engine end.</summary>
    [Theory]
    [InlineData("exit code 1: agent: error starting agent: error=\"server setup failed\"", "==> Starting Nomad agent...", "    2026-11-28T14:31:39Z [ERROR] agent: error starting agent: error=\"server setup failed\"", "==> Error starting agent: server setup failed")]
    [InlineData("exit code 1: agent: Error starting agent: error=\"Failed to start Consul server\"", "==> Log data will now stream in, as it occurs:", "    2026 [ERROR] agent: Error starting agent: error=\"Failed to start Consul server\"", "    2026 [INFO]  agent: Exit code: code=1")]
    [InlineData("exit code 1: log-0000000001 is damaged at byte 18426", "==> log-0000000001 is damaged at byte 18426.")]
    [InlineData("exit code 1: only this", "only this", " ", "agent: Exit code: code=1")]
    [InlineData("exit code 1")]
    public void AnEndIsToldByTheLineThatSaysWhy(string words, params string[] lines) =>
        new ProcessEnd(default, new(7, 8, "boot"), new(1, null), lines).InWords.ShouldBe(words);

    [Fact]
    public void ALongLineIsCut() => new ProcessEnd(default, new(7, 8, "boot"), new(1, null), [new('x', 1000)]).InWords.Length.ShouldBeLessThan(330);

    [Fact]
    public async Task ARestartWaitsForTheGateAndAStopEndsThatWait()
    {
        var asked = new TaskCompletionSource();
        await using var process = new SupervisedProcess("shell", _folder.Records, _folder.Spawner, _folder.Watcher, TimeProvider.System)
        {
            BeforeRestart = async stop =>
            {
                asked.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, stop);
            },
        };
        await process.StartAsync(_folder.Shell("exit 1"), CancellationToken.None);
        await asked.Task.WaitAsync(Long);

        await process.StopAsync(Signals.SIGTERM, Long, CancellationToken.None);

        process.Status.ShouldSatisfyAllConditions(s => s.Running.ShouldBeNull(), s => s.Wanted.ShouldBeFalse(), s => s.Restarts.ShouldBe(0));
        process.Supervision.IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task AStartByACallerDoesNotWaitForTheBackOff()
    {
        await using var process = _folder.Supervise("shell");
        await process.StartAsync(_folder.Shell("exit 1"), CancellationToken.None);
        await ProcessFolder.Eventually("waits for its restart", () => Kinds().Contains(ProcessEventKind.RestartPlanned));

        var status = await process.StartAsync(_folder.Shell("exec sleep 600"), CancellationToken.None);

        _folder.Living().ShouldBe([status.Pid!.Value]);
        status.Restarts.ShouldBe(0);
    }

    [Fact]
    public async Task AStopIsNoReasonToRestart()
    {
        await using var process = _folder.Supervise();
        var running = (await process.StartAsync(_folder.Sleep(), CancellationToken.None)).Running!;

        await process.StopAsync(Signals.SIGINT, Long, CancellationToken.None);

        ProcFs.IsAlive(running).ShouldBeFalse();
        process.Status.LastExit!.Exit.ShouldBe(new ProcessExit(null, Signals.SIGINT));
        var record = Record("sleeper").Read()!;
        record.Wanted.ShouldBeFalse();
        record.Process.ShouldBeNull();
        Kinds().ShouldNotContain(ProcessEventKind.RestartPlanned);
        await process.StopAsync(Signals.SIGINT, Long, CancellationToken.None);
    }

    [Fact]
    public async Task AfterTheDeadlineOfAStopComesSigkill()
    {
        await using var process = _folder.Supervise("shell");
        await process.StartAsync(_folder.Shell("trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done"), CancellationToken.None);
        await ProcessFolder.Eventually("the trap is set", () => LogTail.LastLines(_folder.Log("shell"), 1) is ["ready"]);

        await process.StopAsync(Signals.SIGTERM, TimeSpan.FromSeconds(0.4), CancellationToken.None);

        process.Status.LastExit!.Exit.Signal.ShouldBe(Signals.SIGKILL);
        process.Status.LastExit.LastLines[^1].ShouldBe("no");
        Kinds().ShouldBe([ProcessEventKind.Started, ProcessEventKind.Stopping, ProcessEventKind.Killed, ProcessEventKind.Exited]);
    }

    [Fact]
    public async Task AStopInterruptedByTheEndOfTheAgentIsFoundInTheRecord()
    {
        var first = _folder.Supervise("shell");
        await first.StartAsync(_folder.Shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"), CancellationToken.None);
        await ProcessFolder.Eventually("the trap is set", () => LogTail.LastLines(_folder.Log("shell"), 1) is ["ready"]);
        var stop = first.StopAsync(Signals.SIGTERM, Long, CancellationToken.None);
        await first.DetachAsync();
        await Should.ThrowAsync<OperationCanceledException>(stop);

        await using var second = _folder.Supervise("shell");
        var status = await second.OpenAsync(CancellationToken.None);

        status.Running.ShouldNotBeNull();
        status.Wanted.ShouldBeFalse();
        await second.StopAsync(Signals.SIGKILL, Long, CancellationToken.None);
        ProcFs.IsAlive(status.Running).ShouldBeFalse();
    }

    [Fact]
    public async Task ASignalLeavesTheWishAsItIs()
    {
        await using var process = _folder.Supervise();
        await process.StartAsync(_folder.Sleep(), CancellationToken.None);

        process.Signal(Signals.SIGUSR1);

        await ProcessFolder.Eventually("restarted", () => process.Status is { Restarts: 1, Running: not null });
        process.Status.LastExit!.Exit.Signal.ShouldBe(Signals.SIGUSR1);
    }

    [Fact]
    public async Task ASignalToNothingIsAProblem()
    {
        await using var process = _folder.Supervise();
        await process.OpenAsync(CancellationToken.None);

        Should.Throw<ProblemException>(() => process.Signal(Signals.SIGHUP)).Problem.Code.ShouldBe("process/not-running");
    }

    [Fact]
    public async Task AFailedStartIsNotWantedAtTheNextStartOfTheAgent()
    {
        await using var process = _folder.Supervise("x");

        await Should.ThrowAsync<ProblemException>(process.StartAsync(new("x", "/nowhere/nomad", [], _folder.Log("x")), CancellationToken.None));

        process.Status.Wanted.ShouldBeFalse();
        Record("x").Read()!.Wanted.ShouldBeFalse();
    }

    [Fact]
    public async Task AProgramThatVanishedIsTriedAgain()
    {
        var program = Path.Combine(_folder.Path, "sleep");
        File.Copy("/bin/sleep", program);
        await using var process = _folder.Supervise();
        var spec = _folder.Sleep() with { Executable = program };
        await process.StartAsync(spec, CancellationToken.None);

        File.Move(program, program + ".away");
        process.Signal(Signals.SIGKILL);
        await ProcessFolder.Eventually("a failed restart", () => Kinds().Contains(ProcessEventKind.Trouble));
        File.Move(program + ".away", program);

        await ProcessFolder.Eventually("restarted", () => process.Status is { Restarts: 1, Running: not null });
    }

    [Fact]
    public async Task ADamagedRecordStopsTheStartAndIsNotReset()
    {
        Directory.CreateDirectory(_folder.Records);
        await File.WriteAllTextAsync($"{_folder.Records}/sleeper.json", "{ \"schema\": 1,");
        await using var process = _folder.Supervise();

        var refused = await Should.ThrowAsync<ProblemException>(process.StartAsync(_folder.Sleep(), CancellationToken.None));

        refused.Problem.Code.ShouldBe("storage/torn");
        _folder.Living().ShouldBeEmpty();
        (await File.ReadAllTextAsync($"{_folder.Records}/sleeper.json")).ShouldBe("{ \"schema\": 1,");
    }

    [Fact]
    public async Task AStoppedProcessCanBeForgotten()
    {
        await using var process = _folder.Supervise();
        await process.StartAsync(_folder.Sleep(), CancellationToken.None);
        ProcessRecord.Names(_folder.Records).ShouldBe(["sleeper"]);
        await Should.ThrowAsync<InvalidOperationException>(process.ForgetAsync(CancellationToken.None));

        await process.StopAsync(Signals.SIGTERM, Long, CancellationToken.None);
        await process.ForgetAsync(CancellationToken.None);

        ProcessRecord.Names(_folder.Records).ShouldBeEmpty();
    }

    private DurableFile<ProcessRecord> Record(string name) => ProcessRecord.At(_folder.Records, name);

    private List<ProcessEventKind> Kinds()
    {
        lock (_folder.Events) return [.. _folder.Events.Select(e => e.Kind)];
    }
}
