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
