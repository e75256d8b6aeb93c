// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Processes;

/// <summary>The facts for a restart: whether the process should run, how long it ran, and how many quick ends came before.</summary>
internal sealed record RestartFacts(bool Wanted, TimeSpan Uptime, int QuickEnds);

/// <summary>Whether and when an ended process is started again. Pure. The delay is half a second and doubles at each quick end, up to half a minute.</summary>
internal abstract record RestartDecision
{
    public static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(0.5);
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    /// <summary>A process that ran this long has worked. Its end resets the count.</summary>
    public static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(60);

    private RestartDecision()
    {
    }

    public static RestartDecision After(RestartFacts facts)
    {
        if (!facts.Wanted) return new Stay();
        var quickEnds = facts.Uptime >= LongEnough ? 0 : facts.QuickEnds;
        var delay = FirstDelay.TotalSeconds * Math.Pow(2, Math.Min(quickEnds, 30));
        return new Restart(TimeSpan.FromSeconds(Math.Min(delay, LongestDelay.TotalSeconds)), quickEnds + 1);
    }

    /// <summary>Nobody wants it to run.</summary>
    internal sealed record Stay : RestartDecision;

    /// <param name="QuickEnds">The count for the next decision.</param>
    internal sealed record Restart(TimeSpan Delay, int QuickEnds) : RestartDecision;
}
