// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>Waits for a condition, never for time to pass; says at the deadline what was still missing.</summary>
internal static class Eventually
{
    /// <summary>Between two questions that start a program: on two cores the questions themselves would be the load.</summary>
    public static readonly TimeSpan Unhurried = TimeSpan.FromMilliseconds(700);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Asks until the answer is null ("nothing is missing"). Failing requests count as missing. Returns how long it took.</summary>
    public static async Task<TimeSpan> NothingIsMissingAsync(string what, TimeSpan deadline, Func<Task<string?>> missing, Func<string>? evidence = null, TimeSpan? pause = null)
    {
        var clock = Stopwatch.StartNew();
        var last = "";
        while (true)
        {
            try
            {
                if (await missing() is not { } answer) return clock.Elapsed;
                last = answer;
            }
            catch (Exception refused) when (refused is HttpRequestException or TaskCanceledException or IOException or TimeoutException or InvalidOperationException or System.Text.Json.JsonException)
            {
                last = refused.Message;
            }

            if (clock.Elapsed > deadline)
                throw new TimeoutException($"{what}: not within {deadline.TotalSeconds:0} s. Still missing: {last}\n{evidence?.Invoke()}");
            await Task.Delay(pause ?? s_pause);
        }
    }

    public static Task<TimeSpan> TrueAsync(string what, TimeSpan deadline, Func<Task<bool>> condition, Func<string>? evidence = null) =>
        NothingIsMissingAsync(what, deadline, async () => await condition() ? null : "the condition itself", evidence);
}
