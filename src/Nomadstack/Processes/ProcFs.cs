// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>What /proc/PID/stat says about one process at one moment. Times are clock ticks (<see cref="ProcFs.TicksPerSecond"/>).</summary>
/// <param name="State">Its letter: R, S, D, T, Z (zombie) and so on.</param>
internal sealed record ProcessStat(int Pid, char State, int Parent, int Session, long UserTicks, long SystemTicks, long StartTicks, long ResidentBytes);

/// <summary>
/// Reads /proc. A process that is gone reads as null. Any other failure throws: to take "cannot tell" for "gone"
/// would start a second process on the same data.
/// </summary>
internal static class ProcFs
{
    /// <summary>An exec that takes longer waits for a disk that does not answer.</summary>
    private static readonly TimeSpan LongestExec = TimeSpan.FromSeconds(60);

    private static readonly Lazy<string> LazyBootId = new(() => (ReadText("/proc/sys/kernel/random/boot_id") ?? throw new IOException("/proc is not mounted.")).Trim());

    /// <summary>The clock ticks per second that /proc uses; 100 on every current Linux.</summary>
    public static readonly long TicksPerSecond = Libc.SysConf(Libc.SC_CLK_TCK);

    /// <summary>A UUID that the kernel makes at each boot.</summary>
    public static string BootId => LazyBootId.Value;

    public static ProcessStat? Stat(int pid) => ReadBytes(Of(pid, "stat")) is { } bytes ? ParseStat(bytes) : null;

    /// <summary>The process that has this pid now, also when it is a zombie.</summary>
    public static ProcessIdentity? Identify(int pid) => Stat(pid) is { } stat ? new ProcessIdentity(pid, stat.StartTicks, BootId) : null;

    /// <summary>Whether this process (not a later one with its pid) exists and is not a zombie.</summary>
    public static bool IsAlive(ProcessIdentity process) =>
        process.BootId == BootId && Stat(process.Pid) is { } stat && stat.StartTicks == process.StartTicks && stat.State is not ('Z' or 'X');

    /// <summary>The arguments, program first; empty for a zombie and for a kernel thread.</summary>
    public static IReadOnlyList<string>? CommandLine(int pid) => ReadBytes(Of(pid, "cmdline")) is { } bytes ? SplitAtZeros(bytes) : null;

    /// <summary>
    /// Like <see cref="CommandLine"/>, for a process that may be in the middle of its exec: the kernel lets the parent continue before the new arguments
    /// and the environment are visible and before descriptors are closed. Waits a moment for young session leaders; all our processes are session leaders.
    /// </summary>
    public static IReadOnlyList<string>? SettledCommandLine(int pid) => Settled(pid, CommandLine);

    /// <summary>Like <see cref="EnvironmentOf"/>, for a process that may be in the middle of its exec.</summary>
    public static IReadOnlyList<string>? SettledEnvironment(int pid) => Settled(pid, EnvironmentOf);

    /// <summary>The environment the process was started with, as NAME=VALUE; null also when the process belongs to another user.</summary>
    public static IReadOnlyList<string>? EnvironmentOf(int pid) => ReadBytes(Of(pid, "environ")) is { } bytes ? SplitAtZeros(bytes) : null;

    /// <summary>The program file; a replaced one ends in <c> (deleted)</c>. Null also when the process belongs to another user.</summary>
    public static string? Executable(int pid) => new FileInfo(Of(pid, "exe")).LinkTarget;

    /// <summary>How long ago the process started, by the kernel's monotonic clock, which clock adjustments do not change.</summary>
    public static TimeSpan Age(ProcessIdentity process)
    {
        var text = ReadText("/proc/uptime") ?? throw new IOException("/proc is not mounted.");
        var uptime = double.Parse(text.AsSpan(0, text.IndexOf(' ')), CultureInfo.InvariantCulture);
        return TimeSpan.FromSeconds(Math.Max(0, uptime - (double)process.StartTicks / TicksPerSecond));
    }

    public static IEnumerable<int> Pids()
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) yield return pid;
        }
    }

    /// <summary>Pure. The command name may contain spaces and brackets, so counting starts after the last bracket.</summary>
    internal static ProcessStat? ParseStat(ReadOnlySpan<byte> stat)
    {
        if (!Utf8Parser.TryParse(stat, out int pid, out _)) return null;
        var rest = stat[(stat.LastIndexOf((byte)')') + 2)..];
        Span<long> numbers = stackalloc long[22];
        var state = (char)rest[0];
        // numbers[i] is field i + 4 of proc(5).
        rest = rest[2..];
        for (var i = 0; i < numbers.Length; i++)
        {
            // Some fields are unsigned 64 bit and overflow. None of them is used here.
            _ = Utf8Parser.TryParse(rest, out numbers[i], out _);
            var space = rest.IndexOf((byte)' ');
            if (space < 0) break;
            rest = rest[(space + 1)..];
        }

        return new(pid, state, (int)numbers[0], (int)numbers[2], numbers[10], numbers[11], numbers[18], numbers[20] * Environment.SystemPageSize);
    }

    internal static string? ReadText(string path) => ReadBytes(path) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>
    /// Through libc: .NET would lock the file, throw for each process that is gone, and hide the reason.
    /// </summary>
    private static unsafe byte[]? ReadBytes(string path)
    {
        var fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) return GoneOr(path);
        try
        {
            var buffer = new byte[4096];
            var length = 0;
            while (true)
            {
                if (length == buffer.Length) Array.Resize(ref buffer, length * 2);
                nint n;
                fixed (byte* at = &buffer[length]) n = Libc.Read(fd, at, buffer.Length - length);
                if (n == 0) return buffer[..length];
                if (n > 0) length += (int)n;
                else if (Marshal.GetLastPInvokeError() != Libc.EINTR) return GoneOr(path);
            }
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    private static byte[]? GoneOr(string path) => Marshal.GetLastPInvokeError() switch
    {
        Libc.ENOENT or Libc.ESRCH or Libc.EACCES or Libc.EPERM => null,
        _ => throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}"),
    };

    private static IReadOnlyList<string>? Settled(int pid, Func<int, IReadOnlyList<string>?> read)
    {
        var spin = new SpinWait();
        while (true)
        {
            var value = read(pid);
            if (value is not { Count: 0 }) return value;
            if (Stat(pid) is not { } stat || stat.State is 'Z' or 'X' || stat.Session != pid) return value;
            // A kernel thread has no program. An old process has finished its exec in any case.
            if (Executable(pid) is null || Age(new(pid, stat.StartTicks, BootId)) > LongestExec) return value;
            spin.SpinOnce();
        }
    }

    private static string Of(int pid, string file) => string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/{file}");

    private static List<string> SplitAtZeros(ReadOnlySpan<byte> bytes)
    {
        var parts = new List<string>();
        while (bytes.Length > 0)
        {
            var end = bytes.IndexOf((byte)0);
            parts.Add(Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]));
            bytes = end < 0 ? [] : bytes[(end + 1)..];
        }

        return parts;
    }
}
