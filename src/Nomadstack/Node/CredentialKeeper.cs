// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Security;
using Nomadstack.Servers;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>
/// Renews this node's certificates, and makes its running agents read what is new: certificates, authorities, tokens. SIGHUP is enough for nearly all of it, and servers keep their
/// leadership (run on 1.1.2, 1.8.7 and 2.0.5). Tells the cluster what they have read.
/// </summary>
/// <param name="isReachable">Whether this node reaches the agent of another node, by node id.</param>
internal sealed class CredentialKeeper(NodeContext context, ServerHost host, NodeClients clients, Func<string, bool> isReachable)
{
    /// <summary>A certificate is renewed ten days before it ends, so an hour more or less does not matter.</summary>
    private static readonly TimeSpan s_between = TimeSpan.FromHours(1);

    /// <summary>An agent that is starting is asked again.</summary>
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_lookForTurn = TimeSpan.FromMilliseconds(250);

    /// <summary>No agent says when it has read its files. It takes milliseconds; a machine without a free core may need longer.</summary>
    private static readonly TimeSpan s_reading = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = context.Logs.CreateLogger<CredentialKeeper>();

    /// <summary>One round, and the wait for a change of what the cluster believes or keeps secret, or for the next hour.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Wake() => changed.TrySetResult();
        context.Trust.Secrets.Changed += Wake;
        try
        {
            var between = await RoundAsync(cancel) ? s_between : s_again;
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var member = context.Membership.ChangedSinceAsync(seen, between, waiting.Token);
            await Task.WhenAny(member, changed.Task);
            await waiting.CancelAsync();
            await ((Task)member).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
        }
        finally
        {
            context.Trust.Secrets.Changed -= Wake;
        }
    }

    /// <returns>Whether all agents of this node have read what is new.</returns>
    public async Task<bool> RoundAsync(CancellationToken cancel)
    {
        var all = true;
        foreach (var due in context.Trust.Renew().Where(d => context.Products.Contains(d.Product))) all &= await ReloadAsync(due, cancel);
        foreach (var product in context.Products.Where(p => p.Gossips)) await LeaveOldGossipKeyAsync(product, cancel);
        var read = context.Trust.Read;
        context.Membership.UpdateSelf(self => self with { Trust = read });
        return all;
    }

    private async Task<bool> ReloadAsync(DueReload due, CancellationToken cancel)
    {
        var product = due.Product;
        if (!context.Trust.IsSecure)
        {
            // Agents of an open cluster do not read them yet.
            context.Trust.Reloaded(due);
            return true;
        }

        // Tokens are in the configurations.
        await host.RefreshConfigurationsAsync(cancel);
        clients.Refresh();
        var reloaded = false;
        if (IsOlder(host.Pid(product.Name), due) && host.Server(product.Name) is var (_, server))
        {
            if (!await server.ReloadAsync(cancel)) return false;
            reloaded = true;
        }

        if (product.HasClient && IsOlder(clients[product.Name].Pid, due))
        {
            if (!await clients[product.Name].ReloadAsync(cancel)) return false;
            reloaded = true;
        }

        // The scheduler's client reads what it says to the catalog only at its start, and what it shows where there is no socket between them. Its tasks run on meanwhile.
        if (product.IsCatalog && (due.HasNewSecrets || context.Paths.ClientSocket(product.Name) is null) && IsOlder(clients.Scheduler.Pid, due))
        {
            await AwaitTurnAsync(due, cancel);
            await clients.Scheduler.RestartAsync(cancel);
        }

        if (reloaded)
        {
            await Task.Delay(s_reading, context.Time, cancel);
            context.Timeline.Tell(EventKinds.CertificateRenewed, $"The {product.Title} agents of this node have read new certificates, authorities or tokens.", (EventFields.Role, product.Name));
            _log.LogInformation("This node's {Product} certificate, authorities or tokens are new, and its {Product} agents have read them", product.Title, product.Title);
        }

        context.Trust.Reloaded(due);
        return true;
    }

    private async Task AwaitTurnAsync(DueReload due, CancellationToken cancel)
    {
        var began = context.Time.GetTimestamp();
        while (context.Time.GetElapsedTime(began) < Turn.Longest && !Turn.IsMine(context.Membership, isReachable, due.Product.Name, due.Digest)) await Task.Delay(s_lookForTurn, context.Time, cancel);
    }

    /// <summary>An agent that was away when gossip keys were replaced hears nobody, and no call reaches it. It starts again with the key that counts.</summary>
    private async Task LeaveOldGossipKeyAsync(Product product, CancellationToken cancel)
    {
        if (host.Server(product.Name) is var (_, server) && server.Process.Pid is not null && server.Product.HasOldGossipKey(server.Site))
        {
            _log.LogWarning("The {Product} server was away when the gossip key was replaced. It is started again with the new one", product.Title);
            await host.RestartAsync(product.Name, cancel);
        }

        if (!product.HasClient || clients[product.Name] is not { Runs: true, HasOldGossipKey: true } client) return;
        _log.LogWarning("The {Product} client was away when the gossip key was replaced. It is started again with the new one", product.Title);
        await client.RestartAsync(cancel);
    }

    /// <summary>An agent that started after the files were written has read them.</summary>
    private bool IsOlder(int? pid, DueReload due) => pid is { } own && ProcFs.Identify(own) is { } process && ProcFs.Age(process) > context.Time.GetUtcNow() - due.Since;
}
