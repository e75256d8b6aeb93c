// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

/// <summary>How long a query with <c>?index=</c> waits.</summary>
internal static class BlockingQuery
{
    public static readonly TimeSpan Default = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan Longest = Default;

    // So that many who asked at once do not all come back at once.
    private const int JitterFraction = 16;

    /// <param name="asked">What the client wants; null for the default.</param>
    /// <param name="chance">Between 0 and 1.</param>
    public static TimeSpan Wait(TimeSpan? asked, double chance)
    {
        var wait = asked is not { } some || some <= TimeSpan.Zero ? Default : some > Longest ? Longest : some;
        return wait + wait / JitterFraction * Math.Clamp(chance, 0, 1);
    }
}
