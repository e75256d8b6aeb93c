// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Serialization;

namespace Nomadstack.Storage;

/// <summary>How full the disk of a node's data folder is. Every server on it stops when nothing is left.</summary>
internal enum DiskLevel
{
    Roomy,

    /// <summary>Somebody should look.</summary>
    Low,

    /// <summary>The servers will not run for long. What we can do without stops writing.</summary>
    Short,
}

/// <param name="Mount">Where the file system is mounted.</param>
/// <param name="Used">Bytes that are taken, our reserve among them.</param>
/// <param name="Available">Bytes that the agent's processes may still take; what the file system keeps for root is not among them unless they are root's.</param>
internal sealed record DiskSpace(string Mount, long Used, long Available)
{
    /// <summary>Percent used at which the levels begin, as the kernel's <c>df</c> counts.</summary>
    public const int LowPercent = 85, ShortPercent = 95;

    /// <summary>
    /// With as much room left the disk is not short, whatever the percentage: 8 and 32 times the 512 MiB that raft data, snapshots and logs of an idle cluster
    /// may take (<c>PreflightChecks.LeastFreeBytes</c>). A 10 TB disk that is 95 % full has 500 GB left.
    /// </summary>
    public const long NeverShort = 4L << 30, NeverLow = 16L << 30;

    [JsonIgnore]
    public int Percent => Used + Available == 0 ? 100 : (int)(100.0 * Used / (Used + Available));

    [JsonIgnore]
    public DiskLevel Level =>
        Percent >= ShortPercent && Available < NeverShort ? DiskLevel.Short
        : Percent >= LowPercent && Available < NeverLow ? DiskLevel.Low
        : DiskLevel.Roomy;

    /// <summary>A few words to print after the name of whose disk it is: <c>97 % of /var is used, 120 MiB are free</c>.</summary>
    public string InWords() => string.Create(CultureInfo.InvariantCulture, $"{Percent} % of {Mount} is used, {Available >> 20} MiB are free");
}
