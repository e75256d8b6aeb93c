// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Preflight;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>
/// Looks at the data folder's disk, says when it fills up, and gives the reserve away at its end. A job can write a disk full within seconds, so it looks often once
/// there is little left.
/// </summary>
/// <param name="read">Reads the disk; null where it does not tell.</param>
/// <param name="size">Bytes to keep in reserve; null for what suits the disk, 0 for none.</param>
internal sealed class DiskKeeper(Func<DiskSpace?> read, DiskReserve reserve, long? size, TimeProvider time)
{
    private static readonly TimeSpan s_often = TimeSpan.FromSeconds(1), s_seldom = TimeSpan.FromSeconds(15);

    private DiskLevel _told;
    private bool _released;

    /// <summary>As last seen; null where the disk does not tell.</summary>
    public DiskSpace? Now { get; private set; }

    public bool IsShort => Now is { Level: DiskLevel.Short };

    /// <summary>Told of changes; set once there is a log.</summary>
    public ILogger? Log { get; set; }

    /// <inheritdoc cref="Log"/>
    public Journal Timeline { get; set; } = Journal.Nowhere;

    public static DiskKeeper Of(NodePaths paths, AgentOptions options, TimeProvider time) =>
        new(() => DiskReading.Of(paths.Data), new(paths.Reserve), options.DiskReserve, time);

    /// <summary>One look, and the wait until the next.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        Look(mayTake: true);
        await Task.Delay(Now is { Level: not DiskLevel.Roomy } ? s_often : s_seldom, time, cancel);
    }

    /// <param name="mayTake">False while servers start, who may need the room first.</param>
    public void Look(bool mayTake)
    {
        Now = read();
        if (Now is not { } disk) return;
        Tell(disk);
        var wanted = size ?? Reserve.DefaultOf(disk);
        switch (Reserve.Decide(disk, reserve.Held, wanted))
        {
            case ReserveDecision.Release:
                reserve.Release();
                if (wanted == 0) break;
                _released = true;
                Timeline.Tell(EventKinds.DiskReserveGiven, $"The disk is full: {disk.InWords()}. Its reserve was given to the servers.");
                Log?.LogError("The disk is full: {Disk}. Its reserve was given to the servers and lasts for minutes at most. Free space on it", disk.InWords());
                break;
            case ReserveDecision.Take when mayTake:
                reserve.Take(wanted);
                if (_released) Log?.LogInformation("There is room on the disk again: {Disk}. Its reserve was taken again", disk.InWords());
                _released = false;
                break;
            default:
                break;
        }
    }

    private void Tell(DiskSpace disk)
    {
        if (disk.Level == _told) return;
        _told = disk.Level;
        var kind = disk.Level switch { DiskLevel.Short => EventKinds.DiskShort, DiskLevel.Low => EventKinds.DiskLow, _ => EventKinds.DiskRoomy };
        Timeline.Tell(kind, $"The disk of the data folder: {disk.InWords()}.");
        const string Message = "The disk of the data folder: {Disk}";
        if (disk.Level == DiskLevel.Short) Log?.LogError(Message + ". When it is full, this node's servers stop", disk.InWords());
        else if (disk.Level == DiskLevel.Low) Log?.LogWarning(Message, disk.InWords());
        else Log?.LogInformation(Message, disk.InWords());
    }
}
