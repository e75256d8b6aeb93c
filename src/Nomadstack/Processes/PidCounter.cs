// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Processes;

/// <summary>Whether new pids are different from those of the last boot, and the reason.</summary>
internal sealed record PidJump(bool Clear, string Reason);

/// <summary>
/// Moves the kernel's pid counter past the pids that a Nomad client remembers from the last boot (<see cref="StalePids"/>), so that no process
/// started from now on has such a pid. A client before 1.9.2 would kill it.
/// </summary>
/// <remarks>
/// This is the only thing outside its own folders that nomadstack changes by itself. It does so only on a boot where such a pid can still be
/// assigned, and only in the agent's own pid namespace. It does no harm: the kernel would reach these pids later anyway.
/// It does not help a process that already has a remembered pid; <see cref="StalePids.Living"/> names those.
/// </remarks>
internal sealed class PidCounter(string procFolder = "/proc")
{
    /// <summary>Room after the jump, so that the counter does not wrap around while the clients start.</summary>
    public const int Margin = 4096;

    private string MaxFile => Path.Combine(procFolder, "sys/kernel/pid_max");

    /// <summary>The last assigned pid. Root of the pid namespace may write it. The file exists in kernels built with CHECKPOINT_RESTORE.</summary>
    private string CounterFile => Path.Combine(procFolder, "sys/kernel/ns_last_pid");

    /// <summary>Idempotent. Does nothing if the counter is already past <paramref name="highestStale"/>.</summary>
    public PidJump JumpPast(int highestStale)
    {
        if (LastPid() is not { } last) return new(false, $"{procFolder} does not show the last pid.");
        if (last >= highestStale) return new(true, $"The pid counter is at {last}, which is already past {highestStale}.");
        if (Number(MaxFile) is not { } max) return new(false, $"{MaxFile} cannot be read.");
        if (highestStale + (long)Margin >= max) return new(false, $"Pid {highestStale} is too close to the highest possible pid {max}, so the counter cannot be moved past it.");
        try
        {
            // Not created if missing: then the kernel does not support it.
            using var file = new FileStream(CounterFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(System.Text.Encoding.ASCII.GetBytes(highestStale.ToString(CultureInfo.InvariantCulture)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new(false, $"{CounterFile} cannot be written: {e.Message}");
        }

        return LastPid() is { } now && now >= highestStale
            ? new(true, $"The pid counter was moved from {last} to {highestStale}.")
            : new(false, $"{CounterFile} did not accept the new value.");
    }

    /// <summary>If the counter file is missing, the last field of loadavg is the newest pid.</summary>
    private int? LastPid() =>
        Number(CounterFile) ?? (ProcFs.ReadText(Path.Combine(procFolder, "loadavg")) is { } load && Parse(load.AsSpan(load.LastIndexOf(' ') + 1)) is { } newest ? newest : null);

    private static int? Number(string path) => ProcFs.ReadText(path) is { } text ? Parse(text) : null;

    private static int? Parse(ReadOnlySpan<char> text) => int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
