// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>One process of all times: pids come around again, the rest does not.</summary>
/// <param name="StartTicks">When it started, in clock ticks since the boot.</param>
internal sealed record ProcessIdentity(int Pid, long StartTicks, string BootId);

/// <summary>What /proc tells of a process. One that is gone, or somebody else's, reads as null.</summary>
internal static class Proc
{
    private static readonly Lazy<string> s_bootId = new(() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

    /// <param name="Session">The pid of the session's leader.</param>
    internal sealed record Stat(int Pid, char State, int Parent, int Session, long UserTicks, long SystemTicks, long StartTicks, long ResidentBytes);

    /// <summary>The kernel makes one at each boot.</summary>
    public static string BootId => s_bootId.Value;

    public static ProcessIdentity? Identify(int pid) => StatOf(pid) is { } stat ? new(pid, stat.StartTicks, BootId) : null;

    public static Stat? StatOf(int pid)
    {
        if (Read(pid, "stat") is not { } text) return null;
        // The command's name may hold anything; counting starts behind its last bracket.
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return new(pid, fields[0][0], (int)Number(1), (int)Number(3), Number(11), Number(12), Number(19), Number(21) * Environment.SystemPageSize);

        long Number(int index) => long.TryParse(fields[index], CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    /// <summary>The arguments, program first; none of a zombie, and none in the midst of an exec.</summary>
    public static IReadOnlyList<string> CommandLine(int pid) => Read(pid, "cmdline") is { Length: > 0 } text ? text.TrimEnd('\0').Split('\0') : [];

    /// <summary>Its children, oldest first.</summary>
    public static IReadOnlyList<int> Children(int pid)
    {
        if (Read(pid, string.Create(CultureInfo.InvariantCulture, $"task/{pid}/children")) is { } text)
            return [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(c => int.Parse(c, CultureInfo.InvariantCulture))];
        // Kernels may be built without that list.
        return [.. Pids().Where(p => StatOf(p)?.Parent == pid).Order()];
    }

    public static bool HasEnvironment(int pid, string entry) => Read(pid, "environ")?.Split('\0').Contains(entry) == true;

    public static IEnumerable<int> Pids()
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) yield return pid;
    }

    /// <summary>Holds on to this very process, so that no signal reaches a later one with its pid; null when it is gone. A zombie is still there.</summary>
    public static SafeFileHandle? Hold(ProcessIdentity process)
    {
        if (process.BootId != BootId) return null;
        var fd = Libc.SysCall(Libc.SYS_pidfd_open, process.Pid, 0, 0, 0);
        // EINVAL: the number is now that of some process's thread, or never was a process's.
        if (fd < 0) return Libc.LastErrno is Libc.ESRCH or Libc.EINVAL ? null : throw new IOException($"pidfd_open {process.Pid}: {Libc.LastError}");
        var handle = new SafeFileHandle((nint)fd, ownsHandle: true);
        // Looked up after the open: who has the pid now had it then.
        if (StatOf(process.Pid)?.StartTicks == process.StartTicks) return handle;
        handle.Dispose();
        return null;
    }

    /// <summary>False when the process is gone.</summary>
    public static bool Signal(ProcessIdentity process, int signal)
    {
        using var handle = Hold(process);
        if (handle is null) return false;
        if (Libc.SysCall(Libc.SYS_pidfd_send_signal, handle.DangerousGetHandle(), signal, 0, 0) == 0) return true;
        return Libc.LastErrno == Libc.ESRCH ? false : throw new IOException($"signal {signal} to pid {process.Pid}: {Libc.LastError}");
    }

    private static unsafe string? Read(int pid, string file)
    {
        // Not through File: a process that vanishes is no exception here.
        var fd = Libc.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/{file}"), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) return null;
        try
        {
            var buffer = new byte[2048];
            for (var length = 0; ;)
            {
                if (length == buffer.Length) Array.Resize(ref buffer, length * 2);
                nint read;
                fixed (byte* at = &buffer[length]) read = Libc.Read(fd, at, buffer.Length - length);
                if (read == 0) return Encoding.UTF8.GetString(buffer, 0, length);
                if (read > 0) length += (int)read;
                else if (Libc.LastErrno != Libc.EINTR) return null;
            }
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }
}
