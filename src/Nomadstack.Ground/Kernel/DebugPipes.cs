// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Ground.Kernel;

/// <summary>
/// The pipes and the socket in which a .NET runtime waits for debuggers and tracers, where the program is compiled while it runs: a process that is killed leaves them in
/// the folder for temporary files for good, and a room that loses its power loses all its processes so. The native program has none.
/// </summary>
internal static class DebugPipes
{
    /// <summary>What the runtime itself looks at; set to 1 it means that somebody wants them.</summary>
    private const string Variable = "DOTNET_EnableDiagnostics";

    /// <summary>Takes their names away from this process's own, first of all. What is open stays open, for nobody.</summary>
    public static void Remove()
    {
        if (Environment.GetEnvironmentVariable(Variable) == "1") return;
        var stat = File.ReadAllText("/proc/self/stat");
        // Fields behind the name in parentheses; the 22nd is the start in ticks (proc_pid_stat(5)), which the runtime tells processes of one pid apart by.
        var started = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        foreach (var name in Names(Environment.ProcessId, started)) File.Delete(Path.Combine(Path.GetTempPath(), name));
    }

    internal static IEnumerable<string> Names(int pid, string started)
    {
        var id = string.Create(CultureInfo.InvariantCulture, $"{pid}-{started}");
        return [$"clr-debug-pipe-{id}-in", $"clr-debug-pipe-{id}-out", $"dotnet-diagnostic-{id}-socket"];
    }
}
