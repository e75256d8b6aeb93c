// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Node;
using Nomadstack.Nomad;
using Nomadstack.Processes;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

/// <summary>Real processes with the marks of tasks.</summary>
public sealed class TaskEndsTests : IDisposable
{
    private readonly string _data = "/nowhere/" + Guid.NewGuid();
    private readonly List<Process> _started = [];
    private readonly List<string> _shown = [];

    [Fact]
    public async Task EachTaskEndsInItsOwnWayAndAllAtOnce()
    {
        var orderly = Start("a1", "db", "trap 'sleep 0.3; echo saved; exit 0' USR1; echo up; while :; do sleep 0.05; done");
        var plain = Start("a2", "web", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
        var deaf = Start("a3", "deaf", "trap '' USR1 TERM INT; echo up; while :; do sleep 0.05; done");
        var other = Start("a4", "else", "echo up; exec sleep 60", data: "/elsewhere");
        foreach (var process in _started) (await process.StandardOutput.ReadLineAsync()).ShouldBe("up");
        var clock = Stopwatch.StartNew();

        await Ends().EndAsync([Allocation("a1", new("db", Signals.SIGUSR1, TimeSpan.FromSeconds(20))), Allocation("a3", new("deaf", Signals.SIGINT, TimeSpan.FromMilliseconds(600)))], CancellationToken.None);

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
        (await orderly.StandardOutput.ReadToEndAsync()).ShouldBe("saved\n");
        // Nothing is known of it: SIGTERM and 5 s.
        (await plain.StandardOutput.ReadToEndAsync()).ShouldBe("bye\n");
        deaf.WaitForExit(5000).ShouldBeTrue();
        deaf.ExitCode.ShouldBe(128 + Signals.SIGKILL);
        other.HasExited.ShouldBeFalse();
        _shown.ShouldContain(text => text.Contains("db of a1 (SIGUSR1, 20 s left)", StringComparison.Ordinal));
        _shown[^1].ShouldBeEmpty();
    }

    [Fact]
    public async Task NoTaskGetsMoreTimeThanTheLongestAndWhoDoesNotWaitKillsAtOnce()
    {
        Start("a1", "db", "trap '' USR1; echo up; while :; do sleep 0.05; done");
        (await _started[0].StandardOutput.ReadLineAsync()).ShouldBe("up");
        var forever = Allocation("a1", new TaskEnd("db", Signals.SIGUSR1, TimeSpan.FromHours(1)));

        await Ends(TimeSpan.FromMilliseconds(200)).EndAsync([forever], CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        Start("a1", "db", "trap '' USR1; echo up; while :; do sleep 0.05; done");
        (await _started[1].StandardOutput.ReadLineAsync()).ShouldBe("up");
        using var skip = new CancellationTokenSource();
        var ends = Ends().EndAsync([forever], skip.Token);
        await skip.CancelAsync();

        await ends.WaitAsync(TimeSpan.FromSeconds(20));
        _started.ShouldAllBe(process => process.WaitForExit(5000));
    }

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.Dispose();
        }
    }

    private static NodeAllocation Allocation(string id, TaskEnd task) => new(id, true) { Tasks = [task] };

    private TaskEnds Ends(TimeSpan? longest = null) => new(TaskStops.MarkOf, _ => false, _data, longest ?? TaskEndDecision.DefaultLongest, TimeProvider.System, NullLogger.Instance, _shown.Add);

    private Process Start(string allocation, string task, string script, string? data = null)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, ArgumentList = { "-c", script } };
        start.Environment[ProcessSpawner.MarkerName] = $"{data ?? _data}:nomad-client";
        start.Environment["NOMAD_ALLOC_ID"] = allocation;
        start.Environment["NOMAD_TASK_NAME"] = task;
        var process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }
}
