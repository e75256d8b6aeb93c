// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Doctor;

/// <summary>What the system allows a process that is started as this one was.</summary>
internal static class Limits
{
    public static long? OpenFiles() => OpenFiles(File.ReadAllText("/proc/self/limits"));

    /// <param name="limits">Text of <c>/proc/self/limits</c>.</param>
    internal static long? OpenFiles(string limits)
    {
        // Name in 26 columns, soft limit, hard limit, unit. The hard one counts: Nomad and we raise the soft one to it.
        var line = limits.Split('\n').FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        return line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var hard, ..] && long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
    }

    public static long Memory()
    {
        var free = Available(File.ReadAllText("/proc/meminfo"));
        // 0::/PATH, in a tree that the container's root may be the top of.
        var group = File.ReadLines("/proc/self/cgroup").FirstOrDefault(l => l.StartsWith("0::/", StringComparison.Ordinal))?[4..] ?? "";
        var file = Path.Combine("/sys/fs/cgroup", group, "memory.max");
        return File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var most) ? Math.Min(free, most) : free;
    }

    /// <param name="meminfo">Text of <c>/proc/meminfo</c>.</param>
    internal static long Available(string meminfo)
    {
        var line = meminfo.Split('\n').First(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
