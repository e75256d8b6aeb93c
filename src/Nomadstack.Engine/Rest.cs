// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine;

/// <summary>Looks from time to time whether this agent rests, and then has it give back the memory that work needed and a rest does not.</summary>
internal static class Rest
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
                if (share < Busy || pause == s_first) MemoryAtRest.Release();
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
            log.LogWarning("The agent cannot return unused memory to the system: {Why}", e.Message);
        }
    }
}
