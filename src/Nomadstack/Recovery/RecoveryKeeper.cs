// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Recovery;

/// <summary>The server whose data goes on after a majority is given up, as a setting: <c>EPOCH RAFT-ID</c>.</summary>
internal sealed record KeptServer(int Epoch, string RaftId)
{
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Epoch} {RaftId}");

    /// <summary>Null for anything else.</summary>
    public static KeptServer? Parse(string? text) =>
        text?.Split(' ') is [var epoch, var id] && int.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && id.Length > 0 ? new(number, id) : null;
}

/// <summary>
/// This node's part in giving up a majority. If its server is the one that is kept, it goes on alone, and its agent then raises the epoch for all. Data of an older epoch is retired wherever
/// it turns up, whatever it says: that is how a node that returns years later is not listened to.
/// </summary>
internal sealed class RecoveryKeeper
{
    private static readonly TimeSpan s_moving = TimeSpan.FromMilliseconds(250), s_resting = TimeSpan.FromSeconds(30);

    private readonly NodeContext _context;
    private readonly ServerHost _host;
    private readonly ILogger _log;
    private readonly Wake _wake;

    public RecoveryKeeper(NodeContext context, ServerHost host)
    {
        (_context, _host, _log, _wake) = (context, host, context.Logs.CreateLogger<RecoveryKeeper>(), new(context.Time));
        context.Membership.Changed += _wake.Tell;
    }

    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        if (await RoundAsync(cancel)) await Task.Delay(s_moving, _context.Time, cancel);
        else await _wake.WaitAsync(s_resting, cancel);
    }

    /// <returns>True while something is under way.</returns>
    public async Task<bool> RoundAsync(CancellationToken cancel)
    {
        var moving = false;
        foreach (var role in _host.Roles)
        {
            if (await _host.RetireOldEpochAsync(role, cancel)) _log.LogWarning("The data of this node's {Role} server is of a past that was given up while it was away. It was moved to retired/, and nobody listens to it", role);
            if (_host.Server(role) is not var (record, instance) || _context.Membership.Settings is not { } settings) continue;
            if (KeptServer.Parse(settings.Text(SettingNames.RecoveryKeep(role))) is not { } kept || kept.Epoch <= settings.RecoveryEpoch(role) || kept.RaftId != record.RaftId)
            {
                await RaiseAsync(record, instance, settings, cancel);
                continue;
            }

            moving = true;
            await GoOnAloneAsync(record, instance, kept, cancel);
        }

        return moving;
    }

    /// <summary>
    /// Of two halves that were recovered each for itself, the last written setting wins when they meet, and may be the lower one. The leader with the higher epoch says so again.
    /// </summary>
    private async Task RaiseAsync(ServerRecord record, ServerInstance instance, ClusterSettings settings, CancellationToken cancel)
    {
        if (record.Epoch > settings.RecoveryEpoch(record.Role) && instance.Process.Pid is not null && await instance.ObserveAsync(cancel) is { HasLeader: true, Leads: true })
            _context.Membership.Set(SettingNames.RecoveryEpoch(record.Role), record.Epoch);
    }

    private async Task GoOnAloneAsync(ServerRecord record, ServerInstance instance, KeptServer kept, CancellationToken cancel)
    {
        if (record.Epoch < kept.Epoch)
        {
            _log.LogWarning("The majority of the {Product} voters was given up. The server of this node goes on alone (epoch {Epoch})", instance.Product.Row.Title, kept.Epoch);
            await Fault.AroundAsync("recover-epoch-" + record.Role, () => _host.EnterEpochAsync(record.Role, kept.Epoch, cancel));
        }

        // Its own address counts, whatever it was when the peers wrote it down.
        if (instance.Product.HasPeersToRead(instance.Site))
        {
            if (instance.Process.Pid is null) await _host.StartDisplacedAsync(record.Role, cancel);
            return;
        }

        var view = instance.Process.Pid is null ? null : await instance.ObserveAsync(cancel);
        if (view is { HasLeader: true, Leads: true } && view.Members.Count(m => m.Voter) == 1)
        {
            await _host.SettleAddressAsync(record.Role, cancel);
            // Whoever hears this retires what it has.
            await Fault.AroundAsync("recover-done-" + record.Role, () =>
            {
                _context.Membership.Set(SettingNames.RecoveryEpoch(record.Role), kept.Epoch);
                return Task.CompletedTask;
            });
            return;
        }

        var disk = await instance.Product.RaftOnDiskAsync(instance.Site, cancel);
        if (disk.Voters.Count() == 1 && disk.Voters.Single() is var only && only.Id == record.RaftId && only.Address == instance.Site.RaftAddress)
        {
            // It is alone already and elects itself.
            if (instance.Process.Pid is null) await _host.StartDisplacedAsync(record.Role, cancel);
            return;
        }

        await Fault.AroundAsync("recover-alone-" + record.Role, () => _host.ReplacePeersAsync(record.Role, [new(record.RaftId, instance.Site.RaftAddress, Voter: true)], cancel));
    }
}
