// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>A process of a node as this machine sees it.</summary>
/// <param name="Pid">The pid on this machine.</param>
/// <param name="InnerPid">The pid the node knows it by.</param>
/// <param name="Parent">The parent's pid on this machine.</param>
internal sealed partial record NodeProcess(int Pid, int InnerPid, int Parent, long StartTicks, IReadOnlyList<string> Arguments)
{
    public const int Hup = 1, Int = 2, Kill = 9, Term = 15, Stop = 19, Continue = 18;

    public string CommandLine => string.Join(' ', Arguments);

    public string Program => Path.GetFileName(Arguments[0]);

    /// <summary>Resident and proportional memory in KiB; zero once it is gone.</summary>
    public (long Rss, long Pss) Memory()
    {
        try
        {
            var lines = File.ReadAllLines($"/proc/{Pid}/smaps_rollup");
            return (Field("Rss:"), Field("Pss:"));
            long Field(string name) => lines.Where(line => line.StartsWith(name, StringComparison.Ordinal))
                .Select(line => long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)).FirstOrDefault();
        }
        catch (IOException)
        {
            return (0, 0);
        }
    }

    /// <summary>What its open file descriptors lead to, as the kernel writes it: a path, <c>socket:[inode]</c>, <c>anon_inode:[eventpoll]</c>.</summary>
    public IReadOnlyList<string> Descriptors()
    {
        try
        {
            return [.. new DirectoryInfo($"/proc/{Pid}/fd").GetFiles().Select(f => f.LinkTarget).OfType<string>()];
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Processor time used so far, in clock ticks of 10 ms.</summary>
    public long CpuTicks()
    {
        var fields = Stat(Pid);
        return fields is null ? 0 : long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    /// <summary>Sends a signal, unless the process is gone or its pid is another's by now.</summary>
    public void Signal(int signal)
    {
        if (StartTicks == StartedAt(Pid)) _ = SendSignal(Pid, signal);
    }

    public bool Alive => StartTicks == StartedAt(Pid) && Stat(Pid)?[0] != "Z";

    /// <summary>Whether its environment names this.</summary>
    public bool Inherited(string text)
    {
        try
        {
            return File.ReadAllText($"/proc/{Pid}/environ").Contains(text, StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>All processes in the pid namespace of <paramref name="init"/>, without zombies and kernel leftovers.</summary>
    public static IReadOnlyList<NodeProcess> InNamespaceOf(int init)
    {
        var space = Link(init);
        if (space is null) return [];
        return [.. Directory.GetDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid > 0 && Link(pid) == space)
            .Select(Read)
            .OfType<NodeProcess>()];
    }

    private static NodeProcess? Read(int pid)
    {
        try
        {
            var arguments = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);
            if (arguments.Length == 0 || Stat(pid) is not { } stat) return null;
            var inner = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(line => line.StartsWith("NSpid:", StringComparison.Ordinal))?.Split('\t')[^1] ?? "0";
            return new(pid, int.Parse(inner, CultureInfo.InvariantCulture), int.Parse(stat[1], CultureInfo.InvariantCulture), long.Parse(stat[19], CultureInfo.InvariantCulture), arguments);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Fields of /proc/PID/stat from the third (state) on.</summary>
    private static string[]? Stat(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    public static long? StartedAt(int pid) => Stat(pid) is { } fields ? long.Parse(fields[19], CultureInfo.InvariantCulture) : null;

    private static string? Link(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/ns/pid").LinkTarget;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
