// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;

namespace Nomadstack.Engine;

/// <summary>
/// Gives back from time to time what a burst of work needed and a rest does not: garbage, and pages of program code that ran once. Those come back
/// from the page cache one by one when they are needed again.
/// </summary>
internal static class MemoryAtRest
{
    /// <summary>The first minute of an agent is not yet a rest.</summary>
    private static readonly TimeSpan s_first = TimeSpan.FromMinutes(1), s_interval = TimeSpan.FromMinutes(10);

    /// <summary>An agent that used more of a processor than this since the last look is not at rest.</summary>
    private const double Busy = 0.05;

    /// <summary>Until it is cancelled.</summary>
    public static async Task KeepAsync(TimeProvider time, ILogger log, CancellationToken stop)
    {
        var (pause, used, at) = (s_first, Environment.CpuUsage.TotalTime, time.GetTimestamp());
        try
        {
            while (true)
            {
                await Task.Delay(pause, time, stop);
                var (before, now) = (used, Environment.CpuUsage.TotalTime);
                var share = (now - before) / time.GetElapsedTime(at);
                (used, at) = (now, time.GetTimestamp());
                if (share < Busy || pause == s_first) Release();
                pause = s_interval;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The agent ends.
        }
        catch (IOException e)
        {
            // A system that does not allow it costs memory and nothing else.
            log.LogWarning("Memory is not given back: {Why}", e.Message);
        }
    }

    private static void Release()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        foreach (var (start, length) in Releasable(File.ReadLines("/proc/self/smaps")))
            if (Libc.MAdvise((nint)start, (nint)length, Libc.MADV_DONTNEED) != 0) throw new IOException($"madvise: {Libc.LastError}");
    }

    /// <summary>Mappings of files that cannot be written and of which no page differs from the file: those pages can be read again.</summary>
    /// <param name="smaps">Lines of <c>/proc/PID/smaps</c>.</param>
    internal static IEnumerable<(long Start, long Length)> Releasable(IEnumerable<string> smaps)
    {
        (long Start, long Length)? candidate = null;
        foreach (var line in smaps)
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is [var range, { Length: 4 } rights, _, _, _, ..] && range.Contains('-', StringComparison.Ordinal))
                candidate = rights[0] == 'r' && rights[1] != 'w' && words is [_, _, _, _, _, ['/', ..], ..] ? Parse(range) : null;
            else if (words is ["Private_Dirty:" or "Shared_Dirty:" or "Anonymous:", not "0", ..])
                candidate = null;
            else if (words is ["VmFlags:", ..] && candidate is { } clean)
                yield return clean;
        }
    }

    private static (long Start, long Length) Parse(string range)
    {
        var ends = range.Split('-').Select(e => long.Parse(e, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray();
        return (ends[0], ends[1] - ends[0]);
    }
}
