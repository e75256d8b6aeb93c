// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Processes;

/// <summary>The processes with a data folder's mark in their environment: our own, and all their descendants, which inherit it.</summary>
internal static class MarkedProcesses
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);

    /// <param name="name">The name of our process; null for all.</param>
    public static IEnumerable<ProcessIdentity> Of(string dataFolder, string? name = null)
    {
        var mark = $"{ProcessSpawner.MarkerName}={dataFolder}:{name}";
        foreach (var pid in ProcFs.Pids())
        {
            // Identified first, so that a signal reaches the process that was looked at, or nobody.
            if (ProcFs.Identify(pid) is { } process && ProcFs.EnvironmentOf(pid)?.Any(v => name is null ? v.StartsWith(mark, StringComparison.Ordinal) : v == mark) == true) yield return process;
        }
    }

    /// <summary>Pids of all processes of a data folder. They include this process, and one whose agent was killed before it could record it.</summary>
    public static HashSet<int> WithThis(string dataFolder) => [Environment.ProcessId, .. Of(dataFolder).Select(process => process.Pid)];

    /// <summary>
    /// Sends SIGTERM to all of them, and SIGKILL after <paramref name="grace"/> (at once if that is zero). New processes are included.
    /// Returns when none is left.
    /// </summary>
    /// <returns>How many there were.</returns>
    public static async Task<int> EndAsync(string dataFolder, string? name, TimeSpan grace, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        var told = new HashSet<ProcessIdentity>();
        while (Of(dataFolder, name).Where(ProcFs.IsAlive).ToList() is { Count: > 0 } left)
        {
            var late = time.GetElapsedTime(started) >= grace;
            foreach (var process in left)
            {
                if (told.Add(process) || late) PidFd.Signal(process, late ? Signals.SIGKILL : Signals.SIGTERM);
            }

            await Task.Delay(s_poll, time, cancel);
        }

        return told.Count;
    }
}
