// SPDX-License-Identifier: MPL-2.0

namespace Nomadstack.Storage;

/// <summary>What to do with the reserve (<see cref="DiskReserve"/>) now.</summary>
internal enum ReserveDecision
{
    Keep,

    /// <summary>Give its room to raft and to our own records.</summary>
    Release,

    /// <summary>Take it, or take it anew in the wanted size.</summary>
    Take,
}

internal static class Reserve
{
    /// <summary>Four times the 16 MiB by which raft's log (boltdb) grows at once. On a small disk it is a hundredth.</summary>
    private const long Most = 64L << 20, Share = 100;

    /// <summary>It goes when less than a quarter of it is free besides, and comes back when there is room for it four times: so it does not come and go.</summary>
    private const long Quarter = 4, Times = 4;

    /// <summary>The size of the reserve where nobody chose one.</summary>
    public static long DefaultOf(DiskSpace disk) => Math.Min(Most, (disk.Used + disk.Available) / Share);

    /// <summary>Pure.</summary>
    /// <param name="held">Bytes of the reserve now.</param>
    /// <param name="wanted">Bytes that it should have.</param>
    public static ReserveDecision Decide(DiskSpace disk, long held, long wanted)
    {
        if (held > 0 && (wanted == 0 || disk.Available < held / Quarter)) return ReserveDecision.Release;
        return held != wanted && disk.Available + held >= wanted * Times ? ReserveDecision.Take : ReserveDecision.Keep;
    }
}
