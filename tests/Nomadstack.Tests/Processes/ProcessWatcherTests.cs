// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class ProcessWatcherTests : IDisposable
{
    private readonly ProcessFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ReportsTheExitCodeOfAChildAndReapsIt()
    {
        var process = _folder.Spawner.Spawn(_folder.Shell("exit 7"));

        var exit = await _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);

        exit.ShouldBe(new ProcessExit(7, null));
        ProcFs.Identify(process.Pid).ShouldNotBe(process);
    }

    [Fact]
    public async Task ReportsTheSignalThatEndedAChild()
    {
        var process = _folder.Spawner.Spawn(_folder.Sleep());
        var exit = _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);

        PidFd.Signal(process, Signals.SIGTERM).ShouldBeTrue();

        (await exit).ShouldBe(new ProcessExit(null, Signals.SIGTERM));
        PidFd.Signal(process, Signals.SIGTERM).ShouldBeFalse();
    }

    [Fact]
    public async Task SeesTheEndOfAProcessThatIsNotItsChild()
    {
        // sh starts sleep and waits for it: a grandchild of ours.
        _folder.Spawner.Spawn(_folder.Shell("sleep 600; sleep 600"));
        await ProcessFolder.Eventually("the grandchild runs", () => Grandchild() is not null);
        var process = Grandchild()!;
        var exit = _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);

        PidFd.Signal(process, Signals.SIGKILL);

        (await exit).ShouldBe(ProcessExit.Unknown);
    }

    [Fact]
    public async Task AProcessThatIsGoneHasEnded()
    {
        var gone = ProcFs.Identify(Environment.ProcessId)! with { StartTicks = 1 };

        (await _folder.Watcher.WhenExitedAsync(gone, CancellationToken.None)).ShouldBe(ProcessExit.Unknown);
    }

    [Fact]
    public async Task ACancelledWaitLeavesProcessAndOtherWaitsAlone()
    {
        using var cancel = new CancellationTokenSource();
        var process = _folder.Spawner.Spawn(_folder.Sleep());
        var first = _folder.Watcher.WhenExitedAsync(process, cancel.Token);
        var second = _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);

        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(first);
        ProcFs.IsAlive(process).ShouldBeTrue();
        PidFd.Signal(process, Signals.SIGINT);
        (await second).Signal.ShouldBe(Signals.SIGINT);
    }

    [Fact]
    public async Task ItAndSystemDiagnosticsProcessDoNotTakeExitsFromEachOther()
    {
        var exits = new List<Task<ProcessExit>>();
        var others = new List<Process>();
        for (var i = 0; i < 20; i++)
        {
            exits.Add(_folder.Watcher.WhenExitedAsync(_folder.Spawner.Spawn(_folder.Shell($"exit {i + 1}")), CancellationToken.None));
            others.Add(Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"exit {i + 101}"]))!);
        }

        (await Task.WhenAll(exits)).Select(e => e.Code).ShouldBe(Enumerable.Range(1, 20).Select(i => (int?)i));
        foreach (var (other, i) in others.Select((p, i) => (p, i)))
        {
            await other.WaitForExitAsync();
            other.ExitCode.ShouldBe(i + 101);
            other.Dispose();
        }
    }

    [Fact]
    public async Task WatchesManyAtOnce()
    {
        var processes = Enumerable.Range(0, 50).Select(_ => _folder.Spawner.Spawn(_folder.Sleep())).ToList();
        var exits = processes.Select(p => _folder.Watcher.WhenExitedAsync(p, CancellationToken.None)).ToList();

        foreach (var process in processes) PidFd.Signal(process, Signals.SIGKILL);

        (await Task.WhenAll(exits)).ShouldAllBe(e => e.Signal == Signals.SIGKILL);
    }

    [Fact]
    public async Task ItsOwnEndEndsTheWaitsAndNoProcess()
    {
        var process = _folder.Spawner.Spawn(_folder.Sleep());
        var exit = _folder.Watcher.WhenExitedAsync(process, CancellationToken.None);

        _folder.Watcher.Dispose();

        await Should.ThrowAsync<OperationCanceledException>(exit);
        ProcFs.IsAlive(process).ShouldBeTrue();
    }

    private ProcessIdentity? Grandchild() =>
        _folder.Living().Where(pid => ProcFs.CommandLine(pid) is ["sleep", ..]).Select(ProcFs.Identify).FirstOrDefault();
}
