// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Client;

/// <summary>What the machine is busy with, between one question and the next.</summary>
internal sealed class HostUsage
{
    private const int TicksPerSecond = 100;

    private readonly Lock _gate = new();
    private Dictionary<string, long[]> _before = [];

    /// <summary>As Nomad shows it.</summary>
    /// <param name="megahertz">Of the whole machine.</param>
    public JsonObject Read(string allocDir, long megahertz, DateTimeOffset now)
    {
        var memory = File.ReadLines("/proc/meminfo").Select(l => l.Split([':', ' '], StringSplitOptions.RemoveEmptyEntries)).Where(p => p.Length > 1).ToDictionary(p => p[0], p => long.Parse(p[1], CultureInfo.InvariantCulture) * 1024, StringComparer.Ordinal);
        var (total, available, free) = (memory["MemTotal"], memory.GetValueOrDefault("MemAvailable"), memory["MemFree"]);
        var cores = Cores();
        var disk = Disk(allocDir);
        var busy = cores.Select(c => (double)c!["Total"]!).DefaultIfEmpty(0).Average();
        var seconds = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["Memory"] = new JsonObject { ["Total"] = total, ["Available"] = available, ["Used"] = total - available, ["Free"] = free },
            ["CPU"] = cores,
            ["DiskStats"] = new JsonArray(disk.DeepClone()),
            ["AllocDirStats"] = disk,
            ["DeviceStats"] = new JsonArray(),
            ["Uptime"] = (long)seconds,
            ["Timestamp"] = State.UnixNanoseconds.Of(now),
            ["CPUTicksConsumed"] = busy / 100 * megahertz,
        };
    }

    private JsonArray Cores()
    {
        var now = File.ReadLines("/proc/stat").Where(l => l.StartsWith("cpu", StringComparison.Ordinal) && l[3] != ' ').Select(l => l.Split(' '))
            .ToDictionary(p => p[0], p => p.Skip(1).Select(n => long.Parse(n, CultureInfo.InvariantCulture)).ToArray(), StringComparer.Ordinal);
        lock (_gate)
        {
            var cores = new JsonArray();
            foreach (var (name, ticks) in now)
            {
                var before = _before.GetValueOrDefault(name) ?? new long[ticks.Length];
                var spent = ticks.Zip(before, (a, b) => (double)Math.Max(0, a - b)).ToArray();
                var all = Math.Max(1, spent.Take(8).Sum());
                double Percent(params int[] fields) => fields.Sum(f => spent[f]) / all * TicksPerSecond;
                cores.Add((JsonNode)new JsonObject { ["CPU"] = name, ["User"] = Percent(0, 1), ["System"] = Percent(2), ["Idle"] = Percent(3), ["Total"] = 100 - Percent(3, 4) });
            }

            _before = now;
            return cores;
        }
    }

    private static JsonObject Disk(string folder)
    {
        var drive = new DriveInfo(folder);
        var used = drive.TotalSize - drive.TotalFreeSpace;
        return new JsonObject
        {
            ["Device"] = drive.DriveFormat,
            ["Mountpoint"] = drive.Name,
            ["Size"] = drive.TotalSize,
            ["Used"] = used,
            ["Available"] = drive.AvailableFreeSpace,
            ["UsedPercent"] = drive.TotalSize > 0 ? used * 100.0 / drive.TotalSize : 0,
            ["InodesUsedPercent"] = 0,
        };
    }
}
