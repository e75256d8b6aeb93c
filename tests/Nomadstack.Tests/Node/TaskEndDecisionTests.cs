// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Node;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class TaskEndDecisionTests
{
    private const int SigUsr1 = Signals.SIGUSR1;

    private static readonly TaskProcess s_executor = Process(10, parent: 1, executor: true);
    private static readonly TaskProcess s_first = Process(11, parent: 10);
    private static readonly TaskProcess s_worker = Process(12, parent: 11);

    [Fact]
    public void TheFirstProcessAloneGetsTheSignalOfTheJob() =>
        Next([s_executor, s_first, s_worker]).ShouldBe([(s_first.Process, SigUsr1)]);

    [Fact]
    public void ItGetsItOnceAndThenItsTime() => Next([s_executor, s_first, s_worker], told: [s_first], seconds: 19).ShouldBeEmpty();

    [Fact]
    public void WhatStillRunsAfterItsTimeIsKilledAndNotItsExecutor() =>
        Next([s_executor, s_first, s_worker], told: [s_first], seconds: 20).ShouldBe([(s_first.Process, Signals.SIGKILL), (s_worker.Process, Signals.SIGKILL)]);

    [Fact]
    public void WhatATaskLeavesBehindEndsWithIt() =>
        Next([s_executor, s_worker with { Parent = 1 }], told: [s_first], seconds: 1).ShouldBe([(s_worker.Process, Signals.SIGKILL)]);

    [Fact]
    public void WhoDoesNotWantToWaitNeedNot() => Next([s_first], told: [s_first], seconds: 1, skip: true).ShouldBe([(s_first.Process, Signals.SIGKILL)]);

    [Fact]
    public void ATaskWithoutTimeIsKilledAtOnce() =>
        TaskEndDecision.Next(new([s_first], new HashSet<ProcessIdentity>(), new("app", SigUsr1, TimeSpan.Zero), TimeSpan.Zero, false)).ShouldBe([(s_first.Process, Signals.SIGKILL)]);

    /// <summary>Between the executor's start and the task's there is a moment; a task that comes into being then is told.</summary>
    [Fact]
    public void AnExecutorAloneIsNoTaskThatRuns()
    {
        Next([s_executor]).ShouldBeEmpty();
        TaskEndDecision.HasEnded(Facts([s_executor], [], 0, false)).ShouldBeTrue();
        TaskEndDecision.HasEnded(Facts([s_executor, s_first], [], 0, false)).ShouldBeFalse();
    }

    private static TaskProcess Process(int pid, int parent, bool executor = false) => new(new(pid, 1, "boot"), parent, executor);

    private static IReadOnlyList<(ProcessIdentity Process, int Signal)> Next(TaskProcess[] processes, TaskProcess[]? told = null, double seconds = 0, bool skip = false) =>
        TaskEndDecision.Next(Facts(processes, told ?? [], seconds, skip));

    private static TaskEndFacts Facts(TaskProcess[] processes, TaskProcess[] told, double seconds, bool skip) =>
        new(processes, told.Select(t => t.Process).ToHashSet(), new("app", SigUsr1, TimeSpan.FromSeconds(20)), TimeSpan.FromSeconds(seconds), skip);
}
