// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Driver;

/// <summary>What one process has used so far, from /proc; null if there is no such process.</summary>
/// <param name="UserTicks">Clock ticks (100 a second) in user mode since its start.</param>
internal readonly record struct ProcessUsage(int Pid, long StartTicks, long UserTicks, long SystemTicks, ulong RssBytes)
{
    /// <summary>USER_HZ, the same on every architecture of .NET.</summary>
    public const double TicksPerSecond = 100;

    private static readonly Lazy<double> s_megahertz = new(ReadMegahertz);

    /// <summary>Clock rate of one core. Nomad multiplies it with shares of CPU; 0 if the machine does not report it.</summary>
    public static double Megahertz => s_megahertz.Value;

    public static ProcessUsage? Read(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (IOException)
        {
            return null;
        }

        // Field 2, the command, may contain blanks and parentheses. Field 3 starts after the last parenthesis.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        long Field(int number) => long.Parse(fields[number - 3], CultureInfo.InvariantCulture);
        return new(pid, Field(22), Field(14), Field(15), (ulong)(Field(24) * Environment.SystemPageSize));
    }

    public static int? ParentOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static double ReadMegahertz()
    {
        const string fastest = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
        if (File.Exists(fastest) && double.TryParse(File.ReadAllText(fastest), CultureInfo.InvariantCulture, out var kilohertz)) return kilohertz / 1000;
        foreach (var line in File.ReadLines("/proc/cpuinfo"))
        {
            if (line.StartsWith("cpu MHz", StringComparison.Ordinal) && double.TryParse(line[(line.IndexOf(':') + 1)..], CultureInfo.InvariantCulture, out var megahertz)) return megahertz;
        }

        return 0;
    }
}
