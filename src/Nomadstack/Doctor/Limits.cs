// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Preflight;

namespace Nomadstack.Doctor;

/// <summary>What the system allows a process that is started in the same way as this one.</summary>
internal static class Limits
{
    /// <summary>The controllers that Nomad since 1.7 wants to delegate.</summary>
    private static readonly HashSet<string> s_wanted = ["cpuset", "cpu", "io", "memory", "pids"];

    public static long? OpenFiles() => OpenFiles(File.ReadAllText("/proc/self/limits"));

    /// <param name="limits">Text of <c>/proc/self/limits</c>.</param>
    internal static long? OpenFiles(string limits)
    {
        // Name in 26 columns, soft limit, hard limit, unit. The hard limit counts: Nomad and we raise the soft limit to it.
        var line = limits.Split('\n').FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        return line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var hard, ..] && long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
    }

    public static long Memory()
    {
        var free = Available(File.ReadAllText("/proc/meminfo"));
        // 0::/PATH. In a container, the tree may begin at the container's root.
        var group = File.ReadLines("/proc/self/cgroup").FirstOrDefault(l => l.StartsWith("0::/", StringComparison.Ordinal))?[4..] ?? "";
        var file = Path.Combine("/sys/fs/cgroup", group, "memory.max");
        return File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var most) ? Math.Min(free, most) : free;
    }

    /// <summary>Whether a Nomad client that runs as root finds control groups of version 2 here that it would use but cannot change.</summary>
    public static bool CgroupsClosed()
    {
        const string root = "/sys/fs/cgroup", controllers = root + "/cgroup.controllers";
        if (!File.Exists(controllers)) return false;
        // Only the kernel's root group, the one without a type, may have processes and delegate controllers at the same time.
        var busy = File.Exists(root + "/cgroup.type") && File.ReadLines(root + "/cgroup.procs").Any();
        return CgroupsClosed(File.ReadAllText(controllers), File.ReadAllText(root + "/cgroup.subtree_control"), busy, Mount.Of(root, File.ReadAllText("/proc/self/mountinfo")));
    }

    /// <param name="controllers">Text of <c>cgroup.controllers</c>. If one of the five is missing, Nomad does not use control groups.</param>
    /// <param name="handedOut">Text of <c>cgroup.subtree_control</c>.</param>
    /// <param name="busy">The group has processes, so the kernel does not delegate further controllers.</param>
    internal static bool CgroupsClosed(string controllers, string handedOut, bool busy, Mount? mount) =>
        mount is { FileSystem: "cgroup2" } && All(controllers) && (mount.ReadOnly || busy && !All(handedOut));

    private static bool All(string controllers) => s_wanted.IsSubsetOf(controllers.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

    /// <param name="meminfo">Text of <c>/proc/meminfo</c>.</param>
    internal static long Available(string meminfo)
    {
        var line = meminfo.Split('\n').First(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
