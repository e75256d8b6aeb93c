// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <param name="Executor">It only stands above the task's own process, and ends after it.</param>
internal sealed record TaskProcess(ProcessIdentity Process, int Parent, bool Executor);

/// <summary>One task that is being stopped, as it is now.</summary>
/// <param name="Processes">All that run.</param>
/// <param name="Told">Those that got its signal.</param>
/// <param name="Waited">Since the stop began.</param>
/// <param name="Skip">Somebody does not want to wait any longer.</param>
internal sealed record TaskEndFacts(IReadOnlyList<TaskProcess> Processes, IReadOnlySet<ProcessIdentity> Told, TaskEnd How, TimeSpan Waited, bool Skip);

/// <summary>How a task is stopped when its client is gone: as the client would do it.</summary>
internal static class TaskEndDecision
{
    /// <summary>The longest that a job's <c>kill_timeout</c> may be; Nomad's own default for <c>max_kill_timeout</c> of a client.</summary>
    public static readonly TimeSpan DefaultLongest = TimeSpan.FromSeconds(30);

    /// <summary>The signals to send now; empty while the task is to be waited for, and when it has ended.</summary>
    public static IReadOnlyList<(ProcessIdentity Process, int Signal)> Next(TaskEndFacts facts)
    {
        var running = Running(facts.Processes);
        if (facts.Skip || facts.Waited >= facts.How.Timeout) return [.. running.Select(p => (p.Process, Signals.SIGKILL))];
        if (facts.Told.Count == 0) return [.. Firsts(running).Select(p => (p.Process, facts.How.Signal))];
        // What a task leaves behind ends with it.
        return running.Any(p => facts.Told.Contains(p.Process)) ? [] : [.. running.Select(p => (p.Process, Signals.SIGKILL))];
    }

    public static bool HasEnded(TaskEndFacts facts) => Running(facts.Processes).Count == 0;

    private static List<TaskProcess> Running(IReadOnlyList<TaskProcess> all) => [.. all.Where(p => !p.Executor)];

    /// <summary>The task's first process alone, as a client does it: what the rest is to be told is for that one to say.</summary>
    private static IEnumerable<TaskProcess> Firsts(List<TaskProcess> running) => running.Where(p => running.All(other => other.Process.Pid != p.Parent));
}
