// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Processes;

/// <summary>Whether pids given out from now on are clear of those of the last boot, and how that came or why not.</summary>
internal sealed record PidJump(bool Clear, string Reason);

/// <summary>
/// Moves the kernel's pid counter past the pids that a Nomad client remembers from the last boot (<see cref="StalePids"/>), so that nothing
/// started from now on has one of them when that client, of a version before 1.9.2, kills them.
/// </summary>
/// <remarks>
/// This is the only thing that nomadstack touches outside its own folders without being told to. It does so only on a boot where such a pid can still be
/// given out, only within the agent's own pid namespace, and it harms nobody: pids are given out in this order anyway, merely later.
/// What already runs under a remembered pid is not helped; <see cref="StalePids.Living"/> names it.
/// </remarks>
internal sealed class PidCounter(string procFolder = "/proc")
{
    /// <summary>Room after the jump, so that the counter does not come around while the clients start.</summary>
    public const int Margin = 4096;

    private string MaxFile => Path.Combine(procFolder, "sys/kernel/pid_max");

    /// <summary>The last pid given out. Root in a namespace of its own may write it; the file is there in kernels built with CHECKPOINT_RESTORE.</summary>
    private string CounterFile => Path.Combine(procFolder, "sys/kernel/ns_last_pid");

    /// <summary>Idempotent. Does nothing when the counter is past <paramref name="highestStale"/> already.</summary>
    public PidJump JumpPast(int highestStale)
    {
        if (LastPid() is not { } last) return new(false, $"{procFolder} does not tell the last pid.");
        if (last >= highestStale) return new(true, $"The pid counter is at {last}, past {highestStale} already.");
        if (Number(MaxFile) is not { } max) return new(false, $"{MaxFile} cannot be read.");
        if (highestStale + (long)Margin >= max) return new(false, $"Pid {highestStale} is too near to the highest possible one, {max}, to jump over.");
        try
        {
            // Not created when missing: a kernel without it cannot be asked.
            using var file = new FileStream(CounterFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(System.Text.Encoding.ASCII.GetBytes(highestStale.ToString(CultureInfo.InvariantCulture)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new(false, $"{CounterFile} cannot be written: {e.Message}");
        }

        return LastPid() is { } now && now >= highestStale
            ? new(true, $"The pid counter was moved from {last} to {highestStale}.")
            : new(false, $"{CounterFile} did not take the new value.");
    }

    /// <summary>Where the counter file is missing, the last field of loadavg is the newest pid.</summary>
    private int? LastPid() =>
        Number(CounterFile) ?? (ProcFs.ReadText(Path.Combine(procFolder, "loadavg")) is { } load && Parse(load.AsSpan(load.LastIndexOf(' ') + 1)) is { } newest ? newest : null);

    private static int? Number(string path) => ProcFs.ReadText(path) is { } text ? Parse(text) : null;

    private static int? Parse(ReadOnlySpan<char> text) => int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
