// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Bootstrap;
using Nomadstack.Ground.Kernel;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>What wants to be done now and then: logs, configurations of today, the mark for the next boot's gate, old folders, memory.</summary>
internal sealed class Maintenance(DaemonParts parts)
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(15);

    /// <summary>A node without a server asks for the index every five minutes: 500 of them are two questions a second.</summary>
    private const int RoundsBetweenAsking = 20;

    /// <summary>The first minute is not yet a rest.</summary>
    private const int RoundsBetweenReleases = 20, FirstRelease = 4;

    private readonly ILogger _log = parts.Context.Logs.CreateLogger<Maintenance>();
    private readonly LogRotation _rotation = new();
    private ClusterDocument? _known = parts.Context.Membership.Current;
    private int _round = -1;

    private NodeContext Context => parts.Context;

    /// <summary>The wait and one round. What fails is tried again at the next.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        await Task.Delay(s_between, Context.Time, cancel);
        _round++;
        foreach (var file in Directory.EnumerateFiles(Context.Paths.Log, "*.log")) _rotation.RotateIfNeeded(file);
        if (Context.Membership.Current is not { } now || parts.Operations.Unfinished(BootstrapOperation.Kind) is not null) return;
        if (!ReferenceEquals(_known, now))
        {
            await parts.Host.RefreshConfigurationsAsync(cancel);
            parts.Clients.Refresh();
            _known = now;
        }

        if (parts.Clients.Scheduler.Runs) await RememberIndexAsync(cancel);
        if (_round % RoundsBetweenReleases != FirstRelease) return;
        foreach (var folder in Retirement.RemoveOld(Context.Paths, Context.Time.GetUtcNow())) _log.LogInformation("{Folder} was retired more than {Days} days ago and is removed", folder, Retirement.Kept.TotalDays);
        Context.Membership.Prune();
        MemoryAtRest.Release();
    }

    /// <summary>How far the cluster has come, for the gate of the next boot: from this node's own server, or now and then from another's.</summary>
    private async Task RememberIndexAsync(CancellationToken cancel)
    {
        var row = parts.Scheduler.Row;
        var own = parts.Host.Server(row.Name)?.Instance.Endpoint;
        if (own is null && _round % RoundsBetweenAsking != 0) return;
        var server = own ?? (KnownServer.Of(Context.Membership.Current, row.Name).Where(s => s.IsClaimed).MinBy(_ => Random.Shared.Next()) is { } other ? Context.Endpoints.Of(row, other) : null);
        if (server is null) return;
        var seen = await parts.Scheduler.Server(server).StandingAsync(cancel);
        // A server of another node that does not answer says nothing of the rest.
        if (seen is not null || own is not null) parts.Status.Leaders.Note(row.Name, seen is { HasLeader: true });
        if (seen is { HasLeader: true } standing) parts.Gate.Remember(standing.AppliedIndex, registered: true);
    }
}
