// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Security;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>
/// This node's part in closing a cluster that was open: its agents start again closed, its leaders initialise access control. The whole cluster does so at once, because servers that are
/// closed and servers that are open do not talk to each other: one gap of an election's length is shorter than any order of small ones (run on 1.6.10, 1.8.4 and 2.0.5).
/// </summary>
/// <param name="isReachable">Whether this node reaches the agent of another node, by node id.</param>
internal sealed class ClosingKeeper(NodeContext context, ServerHost host, NodeClients clients, IProduct scheduler, Func<string, bool> isReachable)
{
    private static readonly TimeSpan s_between = TimeSpan.FromHours(1), s_poll = TimeSpan.FromMilliseconds(100);

    private readonly ILogger _log = context.Logs.CreateLogger<ClosingKeeper>();
    private long? _waits;

    private ClusterTrust Trust => context.Trust;

    /// <summary>One round, and the wait for a change of the phase.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        await context.Membership.ChangedSinceAsync(seen, await RoundAsync(cancel) ? s_between : s_poll, cancel);
    }

    /// <returns>Whether nothing is left to do until the phase changes.</returns>
    internal async Task<bool> RoundAsync(CancellationToken cancel)
    {
        if (context.Membership.Current is null) return true;
        if (!Trust.IsSecure)
        {
            Note(SettingNames.Plain);
            return true;
        }

        // Nothing written: the node was made, or let in, when the cluster was closed.
        if (Trust.AgentsPhase is null) Note(SettingNames.Secure);
        if (Trust.AgentsPhase == SettingNames.Plain)
        {
            if (Trust.Lacks() is not null) return false;
            await Fault.AroundAsync("close-agents", () => StartClosedAsync(cancel));
            Note(SettingNames.Closing);
        }

        if (Trust.Phase == SettingNames.Closing) await InitialiseAsync(cancel);
        // A client node has tokens only from a product that is initialised.
        if (Trust.AgentsPhase == SettingNames.Closing && IsMyTurn() && (Trust.IsGiven || await scheduler.IsClosedAnywhereAsync(context, cancel)))
        {
            // Until now its own API was closed by certificates alone. One that waits at the gate starts closed.
            if (clients.Scheduler.Runs) await Fault.AroundAsync("close-client", () => clients.Scheduler.RestartAsync(cancel));
            Note(SettingNames.Secure);
        }

        return Trust.Phase == SettingNames.Secure && Trust.AgentsPhase == SettingNames.Secure;
    }

    /// <summary>Servers and clients at once. The scheduler's client only reads its files again: what it passes on is refused by the servers without a token, and its tasks run on.</summary>
    private async Task StartClosedAsync(CancellationToken cancel)
    {
        _log.LogInformation("The cluster is closed to strangers from now on: this node's agents start again with certificates");
        await host.RefreshConfigurationsAsync(cancel);
        clients.Refresh();
        await Task.WhenAll([
            clients.Scheduler.ReloadAsync(cancel),
            .. host.Roles.Select(role => host.RestartAsync(role, cancel)),
            .. clients.OfCluster.Where(c => c != clients.Scheduler && c.Runs).Select(c => c.RestartAsync(cancel)),
        ]);
    }

    private async Task InitialiseAsync(CancellationToken cancel)
    {
        foreach (var product in context.Products.Where(Trust.Closes))
        {
            if (host.Server(product.Name) is not var (_, server) || !await host.LeadsAsync(product.Name, cancel) || await server.Product.IsClosedAsync(server.Endpoint, cancel)) continue;
            await Fault.AroundAsync($"initialise-{product.Name}", async () =>
            {
                var answer = await server.Product.CloseAsync(server.Site, server.Endpoint, cancel);
                if (answer.IsOk) _log.LogInformation("{Product}'s access control is initialised", product.Title);
                else _log.LogWarning("{Product} has not yet accepted our first tokens: {Why}", product.Title, answer.Complaint);
            });
        }
    }

    private bool IsMyTurn()
    {
        _waits ??= context.Time.GetTimestamp();
        return context.Time.GetElapsedTime(_waits.Value) > Turn.Longest || Turn.IsMine(context.Membership, isReachable, ClusterTrust.AgentsPhaseKey, SettingNames.Secure);
    }

    private void Note(string phase)
    {
        if (Trust.AgentsPhase != phase) Trust.AgentsPhase = phase;
        var read = Trust.Read;
        context.Membership.UpdateSelf(self => self with { Trust = read });
    }
}
