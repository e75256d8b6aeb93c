// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

/// <summary>How the two daemons end.</summary>
public sealed class EndTests : IDisposable
{
    private const int SigHup = 1;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ATerminalThatClosesStopsEverythingInOrder()
    {
        var paths = new NodePaths(Path.Combine(_folder.Path, "data"));
        // What is written to a terminal that is gone fails, as it does to a full disk.
        var address = $"127.83.0.{Environment.ProcessId % 250 + 1}";
        using var up = Built.Start($"exec $nomadstack up --engine embedded --no-consul --bind {address} --servers 1 --data-dir {paths.Data} >/dev/full 2>/dev/full", _folder.Path);
        try
        {
            using var agent = new AgentClient(paths, TimeProvider.System);
            await Eventually(up, async () => (await agent.StatusAsync(default)).Cluster.State == "healthy");
            AgentPresence.ProcessesOf(paths).ShouldNotBeEmpty();

            // The kernel tells the foreground group, and a shell its jobs.
            Libc.Kill(up.Id, SigHup).ShouldBe(0);
            Libc.Kill(up.Id, SigHup).ShouldBe(0);
            using var limit = new CancellationTokenSource(Built.Deadline);
            await up.WaitForExitAsync(limit.Token);

            up.ExitCode.ShouldBe(0);
            AgentPresence.ProcessesOf(paths).ShouldBeEmpty();
        }
        finally
        {
            if (!up.HasExited) up.Kill();
            foreach (var (pid, _) in AgentPresence.ProcessesOf(paths)) Libc.Kill(pid, 9);
            if (Directory.Exists(paths.Run)) Directory.Delete(paths.Run, recursive: true);
        }
    }

    /// <summary>timeout(1) signals its child and then the child's group; somebody impatient presses Ctrl-C twice.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(400)]
    public async Task TwoSignalsLeaveNothingBehindHoweverCloseTheyAre(int milliseconds)
    {
        var paths = new NodePaths(Path.Combine(_folder.Path, "data"));
        var address = $"127.83.3.{Environment.ProcessId % 250 + 1}";
        using var up = Built.Start($"exec $nomadstack up --engine embedded --no-consul --bind {address} --servers 1 --data-dir {paths.Data} >/dev/null 2>/dev/null", _folder.Path);
        try
        {
            using var agent = new AgentClient(paths, TimeProvider.System);
            await Eventually(up, async () => (await agent.StatusAsync(default)).Cluster.State == "healthy");

            Libc.Kill(up.Id, SignalNames.SIGTERM).ShouldBe(0);
            await Task.Delay(milliseconds);
            Libc.Kill(up.Id, SignalNames.SIGTERM);
            using var limit = new CancellationTokenSource(Built.Deadline);
            await up.WaitForExitAsync(limit.Token);

            AgentPresence.ProcessesOf(paths).ShouldBeEmpty();
        }
        finally
        {
            if (!up.HasExited) up.Kill();
            foreach (var (pid, _) in AgentPresence.ProcessesOf(paths)) Libc.Kill(pid, 9);
            if (Directory.Exists(paths.Run)) Directory.Delete(paths.Run, recursive: true);
        }
    }

    /// <summary>A database that is not asked in its own way to end loses its orderly stop.</summary>
    [Fact]
    public async Task CtrlCStopsTasksWithTheSignalAndTheTimeOfTheirJobs()
    {
        var paths = new NodePaths(Path.Combine(_folder.Path, "data"));
        var address = $"127.83.2.{Environment.ProcessId % 250 + 1}";
        var (orderly, asked, left) = (Path.Combine(_folder.Path, "orderly"), Path.Combine(_folder.Path, "asked"), Path.Combine(_folder.Path, "left"));
        var job = Path.Combine(_folder.Path, "job.hcl");
        await File.WriteAllTextAsync(job, $$"""
            job "db" {
              type = "service"
              group "g" {
                task "orderly" {
                  driver       = "raw_exec"
                  kill_signal  = "SIGUSR1"
                  kill_timeout = "20s"
                  config {
                    command = "/bin/sh"
                    args    = ["-c", "trap 'sleep 1; echo saved >{{orderly}}; exit 0' USR1; echo starts; (sleep 600; echo >{{left}}) & while :; do sleep 0.1; done"]
                  }
                  resources { memory = 10 }
                }
                task "deaf" {
                  driver       = "raw_exec"
                  kill_timeout = "500ms"
                  config {
                    command = "/bin/sh"
                    args    = ["-c", "trap 'echo asked >>{{asked}}' INT; trap '' TERM USR1; while :; do sleep 0.1; done"]
                  }
                  resources { memory = 10 }
                }
              }
            }
            """);
        using var up = Built.Start($"exec $nomadstack up --engine embedded --no-consul --bind {address} --servers 1 --data-dir {paths.Data} 2>{_folder.Path}/said", _folder.Path);
        try
        {
            using var agent = new AgentClient(paths, TimeProvider.System);
            await Eventually(up, async () => (await agent.StatusAsync(default)).Cluster.State == "healthy");
            (await Built.ShellAsync($"$nomadstack job run {job} --timeout 60s --data-dir {paths.Data}", _folder.Path)).Code.ShouldBe(0);
            (await Built.ShellAsync($"$nomadstack job logs db --task orderly --data-dir {paths.Data}", _folder.Path)).Out.ShouldBe("starts\n");
            var refused = await Built.ShellAsync($"$nomadstack --data-dir {paths.Data} job exec --task orderly db ls", _folder.Path);
            refused.Code.ShouldBe(1);
            refused.Error.ShouldContain("embedded engine does not answer GET");

            Libc.Kill(up.Id, SignalNames.SIGINT).ShouldBe(0);
            using var limit = new CancellationTokenSource(Built.Deadline);
            await up.WaitForExitAsync(limit.Token);

            up.ExitCode.ShouldBe(0, await File.ReadAllTextAsync(Path.Combine(_folder.Path, "said")));
            (await File.ReadAllTextAsync(orderly)).ShouldBe("saved\n");
            (await File.ReadAllTextAsync(asked)).ShouldBe("asked\n", "once, and then it was killed");
            AgentPresence.ProcessesOf(paths).ShouldBeEmpty();
            File.Exists(left).ShouldBeFalse();
        }
        finally
        {
            if (!up.HasExited) up.Kill();
            foreach (var (pid, _) in AgentPresence.ProcessesOf(paths)) Libc.Kill(pid, 9);
            if (Directory.Exists(paths.Run)) Directory.Delete(paths.Run, recursive: true);
        }
    }

    [Fact]
    public async Task AProcessThatIsKilledLeavesNothingInTheFolderForTemporaryFiles()
    {
        var temporary = Directory.CreateDirectory(Path.Combine(_folder.Path, "tmp")).FullName;
        var data = Path.Combine(_folder.Path, "data");
        using var process = Built.Start($"TMPDIR={temporary} exec $nomadstack agent --engine embedded --bind 127.83.1.{Environment.ProcessId % 250 + 1} --data-dir {data} 2>/dev/null", _folder.Path);
        using var deadline = new CancellationTokenSource(Built.Deadline);
        while (AgentPresence.HolderOf(new(data)) is null)
        {
            process.HasExited.ShouldBeFalse();
            deadline.IsCancellationRequested.ShouldBeFalse();
            await Task.Delay(50);
        }

        process.Kill();
        await process.WaitForExitAsync();

        Directory.EnumerateFileSystemEntries(temporary).ShouldBeEmpty();
    }

    [Fact]
    public async Task ASecondSignalEndsAnAgentThatDoesNotGiveWay()
    {
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        var typed = new Typed
        {
            HardStop = second.Token,
            Daemon = (_, _, _) =>
            {
                started.SetResult();
                return new TaskCompletionSource<int>().Task;
            },
        };
        var agent = typed.RunAsync(first.Token, "agent", "--data-dir", _folder.Path);
        await started.Task;

        await first.CancelAsync();
        agent.IsCompleted.ShouldBeFalse("the first signal leaves it time");
        await second.CancelAsync();

        (await agent).ShouldBe(130);
    }

    private static async Task Eventually(System.Diagnostics.Process up, Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(Built.Deadline);
        while (true)
        {
            try
            {
                if (await condition()) return;
            }
            catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
            {
                up.HasExited.ShouldBeFalse(string.Create(CultureInfo.InvariantCulture, $"it ended: {(up.HasExited ? up.ExitCode : 0)}"));
            }

            deadline.IsCancellationRequested.ShouldBeFalse();
            await Task.Delay(100);
        }
    }
}
