// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Bootstrap;
using Nomadstack.Ground.Kernel;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>What wants to be done now and then: logs, configurations of today, programs that are offered, old folders, memory.</summary>
internal sealed class Maintenance(DaemonParts parts)
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(15);

    /// <summary>The first minute is not yet a rest.</summary>
    private const int RoundsBetweenReleases = 20, FirstRelease = 4;

    private readonly ILogger _log = parts.Context.Logs.CreateLogger<Maintenance>();
    private readonly LogRotation _rotation = new();
    private ClusterDocument? _known = parts.Context.Membership.Current;
    private int _round = -1;

    private NodeContext Context => parts.Context;

    /// <summary>The wait and one round. A failure is tried again in the next round.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        await Task.Delay(s_between, Context.Time, cancel);
        _round++;
        Context.Timeline.Sync();
        foreach (var file in Directory.EnumerateFiles(Context.Paths.Log, "*.log"))
        {
            if (parts.Disk.IsShort) _rotation.MakeRoom(file);
            else _rotation.RotateIfNeeded(file);
        }


        if (Context.Membership.Current is not { } now || parts.Operations.Unfinished(BootstrapOperation.Kind) is not null) return;
        if (!ReferenceEquals(_known, now))
        {
            await parts.Host.RefreshConfigurationsAsync(cancel);
            parts.Clients.Refresh();
            _known = now;
        }

        await LookForLeaderAsync(cancel);
        await parts.Offers.LookAsync(cancel);
        if (_round % RoundsBetweenReleases != FirstRelease) return;
        foreach (var folder in Retirement.RemoveOld(Context.Paths, Context.Time.GetUtcNow())) _log.LogInformation("{Folder} was retired more than {Days} days ago and was deleted", folder, Retirement.Kept.TotalDays);
        await parts.Offers.RemoveUnusedAsync(cancel);
        Context.Membership.Prune();
        MemoryAtRest.Release();
    }

    /// <summary>So that "no leader for 40 s" counts from the loss, and not from the first time that somebody asked. Only on a node with a server, which is asked alone.</summary>
    private async Task LookForLeaderAsync(CancellationToken cancel)
    {
        var row = parts.Scheduler.Row;
        if (parts.Host.Server(row.Name) is var (_, instance)) parts.Status.Leaders.Note(row.Name, await instance.Api.StandingAsync(cancel) is { HasLeader: true });
    }
}
