// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Processes;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <summary>
/// Stops the tasks of this node once its client is gone: each with the signal and the time of its job, all at once. A task's processes are known by its marks in their
/// environment, and by this data folder's.
/// </summary>
/// <param name="markOf">The task that an environment names.</param>
/// <param name="isExecutor">Whether a command line is that of an executor.</param>
/// <param name="dataFolder">Whose tasks.</param>
/// <param name="longest">No task gets more time.</param>
/// <param name="show">What is waited for; empty when that is over.</param>
internal sealed class TaskEnds(
    Func<IReadOnlyList<string>, TaskMark?> markOf, Func<IReadOnlyList<string>, bool> isExecutor, string dataFolder, TimeSpan longest, TimeProvider time, ILogger log, Action<string> show)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);

    /// <summary>The default of a job that says nothing, for a task whose job cannot be had.</summary>
    private static readonly TimeSpan s_default = TimeSpan.FromSeconds(5);

    /// <summary>Whether a task runs here at all.</summary>
    public bool Any() => Tasks().Count > 0;

    /// <summary>Returns when no task runs any more.</summary>
    /// <param name="allocations">How they are stopped. A task that is not in them gets SIGTERM and 5 s.</param>
    /// <param name="skip">Ends the wait: what still runs is killed.</param>
    public async Task EndAsync(IReadOnlyList<NodeAllocation> allocations, CancellationToken skip)
    {
        var known = allocations.SelectMany(a => a.Tasks.Select(t => (Mark: new TaskMark(a.Id, t.Task), How: t))).DistinctBy(t => t.Mark).ToDictionary(t => t.Mark, t => t.How);
        var told = new Dictionary<TaskMark, HashSet<ProcessIdentity>>();
        var started = time.GetTimestamp();
        while (true)
        {
            var waited = time.GetElapsedTime(started);
            var left = Tasks()
                .Select(t => (t.Mark, Facts: new TaskEndFacts(t.Processes, told.GetValueOrDefault(t.Mark) ?? [], How(known, t.Mark), waited, skip.IsCancellationRequested)))
                .Where(t => !TaskEndDecision.HasEnded(t.Facts)).ToList();
            if (left.Count == 0) break;
            foreach (var (mark, facts) in left)
            {
                foreach (var (process, signal) in TaskEndDecision.Next(facts))
                {
                    if (!told.TryGetValue(mark, out var before)) told[mark] = before = [];
                    if (before.Add(process) || signal == Signals.SIGKILL) PidFd.Signal(process, signal);
                }
            }

            show(Text([.. left.Select(t => (t.Mark, t.Facts.How))], waited));
            await Task.Delay(s_poll, time, CancellationToken.None);
        }

        show("");
        if (told.Count > 0) log.LogInformation("{Count} tasks stopped in {Seconds:0.0} s", told.Count, time.GetElapsedTime(started).TotalSeconds);
    }

    private static string Text(IReadOnlyList<(TaskMark Mark, TaskEnd How)> left, TimeSpan waited)
    {
        const int most = 3;
        var named = left.Take(most).Select(t =>
        {
            var seconds = Math.Max(0, Math.Ceiling((t.How.Timeout - waited).TotalSeconds));
            return string.Create(CultureInfo.InvariantCulture, $"{t.Mark.Task} of {t.Mark.Allocation.Split('-')[0]} ({Signals.Name(t.How.Signal)}, {seconds} s left)");
        });
        var more = left.Count > most ? string.Create(CultureInfo.InvariantCulture, $" and {left.Count - most} more") : "";
        return $"wait for tasks to end: {string.Join(", ", named)}{more} (Ctrl-C again kills them)";
    }

    private TaskEnd How(Dictionary<TaskMark, TaskEnd> known, TaskMark mark)
    {
        var how = known.GetValueOrDefault(mark) ?? new TaskEnd(mark.Task, Signals.SIGTERM, s_default);
        return how.Timeout > longest ? how with { Timeout = longest } : how;
    }

    private List<(TaskMark Mark, IReadOnlyList<TaskProcess> Processes)> Tasks() =>
    [
        .. MarkedProcesses.Of(dataFolder).Where(ProcFs.IsAlive)
            .Select(p => (Mark: ProcFs.EnvironmentOf(p.Pid) is { } environment ? markOf(environment) : null, Process: Describe(p)))
            .Where(p => p is { Mark: not null, Process: not null })
            .GroupBy(p => p.Mark!, p => p.Process!).Select(task => (task.Key, (IReadOnlyList<TaskProcess>)[.. task])),
    ];

    private TaskProcess? Describe(ProcessIdentity process) => ProcFs.Stat(process.Pid) is { } stat && stat.StartTicks == process.StartTicks
        ? new(process, stat.Parent, isExecutor(ProcFs.CommandLine(process.Pid) ?? []))
        : null;
}
