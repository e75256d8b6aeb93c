// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>How Nomad's clients mark the processes of tasks, and how they stop them.</summary>
internal static class TaskStops
{
    /// <summary>Nomad's default <c>kill_timeout</c> (nomad/structs, <c>DefaultKillTimeout</c>).</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    private const string AllocationMark = "NOMAD_ALLOC_ID=", TaskMarkName = "NOMAD_TASK_NAME=";

    /// <summary>The drivers whose executor stops a task with SIGINT where the job names no signal (drivers/shared/executor); the others use SIGTERM.</summary>
    private static readonly string[] s_interrupted = ["raw_exec", "exec", "java", "qemu"];

    public static TaskMark? MarkOf(IReadOnlyList<string> environment) =>
        Value(environment, AllocationMark) is { } allocation && Value(environment, TaskMarkName) is { } task ? new(allocation, task) : null;

    /// <summary>The embedded engine's executor is a shell with the task's environment and a script below the client's folder. HashiCorp's has no mark of a task.</summary>
    public static bool IsExecutor(IReadOnlyList<string> command, string clientFolder) =>
        command is ["/bin/sh", var script] && script.StartsWith(clientFolder + "/", StringComparison.Ordinal) && script.EndsWith("/run", StringComparison.Ordinal);

    public static TaskEnd EndOf(NodeTaskReply task)
    {
        var signal = task.KillSignal is { Length: > 0 } named ? named : s_interrupted.Contains(task.Driver) ? "SIGINT" : "SIGTERM";
        var timeout = task.KillTimeout is { } nanoseconds ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick) : DefaultTimeout;
        return new(task.Name ?? "", SignalNames.Number(signal) ?? SignalNames.SIGTERM, timeout);
    }

    private static string? Value(IReadOnlyList<string> environment, string name) =>
        environment.FirstOrDefault(v => v.StartsWith(name, StringComparison.Ordinal)) is { } found && found.Length > name.Length ? found[name.Length..] : null;
}
