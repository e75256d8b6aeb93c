// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots;

/// <summary>How often snapshots are taken and how long they are kept: the cluster's settings, or what holds where nobody has set anything.</summary>
/// <param name="Every">Zero for never.</param>
/// <param name="Dense">So long every one is kept.</param>
/// <param name="Thin">So long one a day is kept.</param>
/// <param name="Target">Where copies go besides: <see cref="Targets.TargetAddress"/>; null for nowhere.</param>
internal sealed record SnapshotPolicy(TimeSpan Every, TimeSpan Dense, TimeSpan Thin, string? Target = null)
{
    /// <summary>Sixteen of the last four hours and one of each of the last seven days: 24 files (issue 12).</summary>
    public static SnapshotPolicy Default { get; } = new(TimeSpan.FromMinutes(15), TimeSpan.FromHours(4), TimeSpan.FromDays(7));

    /// <summary>After this long without a verified one, the cluster is not healthy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    public bool IsOn => Every > TimeSpan.Zero;

    public static SnapshotPolicy Of(ClusterSettings? settings) => new(
        Seconds(settings, SettingNames.SnapshotEvery) ?? Default.Every,
        Seconds(settings, SettingNames.SnapshotDense) ?? Default.Dense,
        Seconds(settings, SettingNames.SnapshotThin) ?? Default.Thin,
        settings?.Text(SettingNames.SnapshotTarget) is { Length: > 0 } target ? target : null);

    private static TimeSpan? Seconds(ClusterSettings? settings, string name) => settings?.Number(name) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
}

/// <summary>What the next snapshot depends on.</summary>
/// <param name="LeadsHere">This node's own server leads the scheduler: its agent takes the cluster's snapshots.</param>
/// <param name="Newest">When the newest verified snapshot was taken, on whichever node; null for none.</param>
/// <param name="Tried">When this node tried last; null if it has not since its start.</param>
/// <param name="Disk">Null where the disk does not tell.</param>
internal sealed record SnapshotFactsNow(SnapshotPolicy Policy, DateTimeOffset Now, bool LeadsHere, DateTimeOffset? Newest, DateTimeOffset? Tried, DiskLevel? Disk);

internal enum SnapshotNext
{
    /// <summary>Nothing is to be done now.</summary>
    Wait,

    Take,

    /// <summary>One is due, and the disk has no room for it: raft needs what is left.</summary>
    NoRoom,
}

internal static class SnapshotDecision
{
    /// <summary>Between two tries that fail: a leader that was just elected needs a moment, and a sick one is not to be pressed.</summary>
    public static readonly TimeSpan Again = TimeSpan.FromMinutes(2);

    /// <summary>Pure and total.</summary>
    public static SnapshotNext Next(SnapshotFactsNow facts)
    {
        if (!facts.Policy.IsOn || !facts.LeadsHere) return SnapshotNext.Wait;
        // A time in the future is of a clock that was wrong. It must not keep the next one away.
        if (facts.Newest is { } newest && newest <= facts.Now && facts.Now - newest < facts.Policy.Every) return SnapshotNext.Wait;
        var pause = facts.Policy.Every < Again ? facts.Policy.Every : Again;
        if (facts.Tried is { } tried && tried <= facts.Now && facts.Now - tried < pause) return SnapshotNext.Wait;
        return facts.Disk == DiskLevel.Short ? SnapshotNext.NoRoom : SnapshotNext.Take;
    }
}
