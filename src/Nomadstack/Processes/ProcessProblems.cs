// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Processes;

/// <summary>What can go wrong with a process of this node, in words for an operator.</summary>
internal static class ProcessProblems
{
    public static Problem KernelTooOld() => new(
        "agent/kernel-too-old",
        "This kernel cannot watch processes that are not children of the agent.",
        "The system call pidfd_open is missing. It needs Linux 5.3, and waiting on it needs 5.4.",
        "Run a kernel of 5.4 or later.");

    public static Problem NoSignal(string signal, int pid, string why) => new(
        "process/no-signal",
        $"{signal} could not be sent to pid {pid}.",
        why,
        "Run the agent as the user that started the process.");

    public static Problem TwoRunning(string name, string pids) => new(
        "process/two-running",
        $"{name} runs more than once: pids {pids}.",
        "All were started from this data folder with the same arguments. No record says which one is right.",
        "Read the log, stop the wrong ones with kill, and start the agent again.")
    { Unsafe = true };

    public static Problem NoLog(string path, string why) => new(
        "process/no-log",
        $"The log file {path} cannot be opened. Nothing was started.",
        why,
        "Make its folder writable for the user that runs the agent, or free space on its disk.");

    public static Problem NotStarted(string name, string program, string why) => new(
        "process/not-started",
        $"{name} could not be started: {program}",
        why,
        "Check that the file exists, is executable and is built for this machine.");

    public static Problem Unkillable(string name, int pid, TimeSpan deadline) => new(
        "process/unkillable",
        $"{name} (pid {pid}) still exists {deadline.TotalSeconds:0} s after SIGKILL.",
        "The kernel cannot end it, most often because a disk or a network file system does not answer.",
        "Look at `dmesg` and the mounts below the data folder. The stop is recorded and is done when the process ends.");

    public static Problem NotRunning(string name, string signal) => new(
        "process/not-running",
        $"{name} does not run, so {signal} was not sent.",
        "It has ended, or was not started yet.",
        "Look at `nomadstack status` and repeat the command when it runs.");

    public static Problem OtherSpec(string name, int pid) => new(
        "process/other-spec",
        $"{name} already runs as pid {pid} with other arguments.",
        "A running server is never simply replaced.",
        "A hand-over replaces it. See `nomadstack status`.")
    { Unsafe = true };
}
