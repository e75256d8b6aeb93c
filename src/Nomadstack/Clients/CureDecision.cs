// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Clients;

/// <summary>What to do with a client whose process runs and that the leader does not have for ready.</summary>
internal enum Cure
{
    Nothing,

    /// <summary>SIGHUP: it reads its configuration again and registers anew, tasks untouched. Heals an identity that expired while no server answered.</summary>
    Reload,

    /// <summary>Stop and start through the gate, tasks untouched.</summary>
    Restart,
}

internal static class CureDecision
{
    /// <summary>A client that was cut off heals by itself within two heartbeats; those of a large cluster are up to half a minute apart.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(90);

    /// <summary>The longest time between two attempts.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>Pure. The gentle cure first, then the other, each attempt after twice the time of the one before.</summary>
    /// <param name="lasted">How long a leader has answered and not had the client for ready, without a break.</param>
    /// <param name="tried">Attempts since it was last ready.</param>
    /// <param name="since">Time since the last attempt.</param>
    public static Cure Next(TimeSpan lasted, int tried, TimeSpan since)
    {
        if (lasted < First) return Cure.Nothing;
        if (tried == 0) return Cure.Reload;
        var pause = tried > 16 ? Longest : TimeSpan.FromTicks(Math.Min(First.Ticks << (tried - 1), Longest.Ticks));
        return since < pause ? Cure.Nothing : Cure.Restart;
    }
}
