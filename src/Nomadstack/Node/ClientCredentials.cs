// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Node;

/// <summary>
/// On a client node: asks server nodes for what lets this node's agents in, and makes those that run read it. Asked at the agent's start, when it is due, and when a product does
/// not know the node's token any more.
/// </summary>
/// <param name="ask">Asks server nodes, one after the other.</param>
/// <param name="reload">Makes the running agents read what is new.</param>
internal sealed class ClientCredentials(
    NodeContext context,
    IReadOnlyDictionary<string, IProduct> products,
    NodeClients clients,
    Func<CredentialsAsked, CancellationToken, Task<CredentialsGiven>> ask,
    Func<CancellationToken, Task> reload)
{
    /// <summary>Longer than a server node lets pass between two answers.</summary>
    public static readonly TimeSpan BetweenRequests = TimeSpan.FromSeconds(2);

    /// <summary>A token that was changed is noticed within this time, at a question a product and node.</summary>
    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan s_afterFailure = TimeSpan.FromSeconds(30);

    private readonly ILogger _log = context.Logs.CreateLogger<ClientCredentials>();
    private bool _isCurrent;
    private long? _lookedAt;
    private string _told = "";

    private IEnumerable<Product> Closed => context.Products.Where(context.Trust.Closes);

    /// <summary>One round, and the wait for a change of what the cluster believes, or for the next look.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        var failed = await RoundAsync(cancel) is not null;
        await Task.Delay(BetweenRequests, context.Time, cancel);
        await context.Membership.ChangedSinceAsync(seen, context.Trust.Phase == SettingNames.Closing || Closed.Any(context.Trust.IsRotating) ? BetweenRequests : failed ? s_afterFailure : s_betweenLooks, cancel);
    }

    /// <returns>Why nothing was given; null where nothing is wanted.</returns>
    public async Task<Problem?> RoundAsync(CancellationToken cancel)
    {
        if (!context.Trust.IsGiven || !context.Trust.IsSecure) return null;
        if (_isCurrent && !Closed.Any(context.Trust.IsDue) && !await IsRefusedAsync(cancel)) return null;
        var why = await AskAsync(cancel);
        if (why is not null && why.Code != _told) _log.LogWarning("This node has no new credentials yet: {Problem}", why);
        _told = why?.Code ?? "";
        return why;
    }

    /// <summary>Asks once. Returns why nothing was given; null when all is there.</summary>
    public async Task<Problem?> AskAsync(CancellationToken cancel)
    {
        try
        {
            var given = await ask(context.Trust.Ask(Closed), cancel);
            var isNew = false;
            foreach (var product in Closed)
            {
                if (given.Products?.GetValueOrDefault(product.Name) is not { Certificate: not null, Tokens: not null } credentials)
                    return ClientProblems.BadAnswer(product.Title, "It is missing in the answer.");
                isNew |= context.Trust.Take(product, credentials);
            }

            _isCurrent = true;
            if (!isNew) return null;
            // Their files hold tokens, and are read at the signal or the start that follows.
            foreach (var client in clients.OfCluster.Where(c => c.Runs)) client.Refresh();
            await reload(cancel);
            return null;
        }
        catch (ProblemException e)
        {
            return e.Problem;
        }
    }

    private async Task<bool> IsRefusedAsync(CancellationToken cancel)
    {
        if (_lookedAt is { } at && context.Time.GetElapsedTime(at) < s_betweenLooks) return false;
        _lookedAt = context.Time.GetTimestamp();
        foreach (var product in Closed)
        {
            if (await KnowsAsync(product, cancel) != false) continue;
            _log.LogWarning("{Product} does not know this node's token any more", product.Title);
            return true;
        }

        return false;
    }

    private async Task<bool?> KnowsAsync(Product product, CancellationToken cancel)
    {
        foreach (var server in KnownServer.Of(context.Membership.Current, product.Name))
        {
            if (await products[product.Name].KnowsTokenAsync(context.Endpoints.Of(product, server), cancel) is { } known) return known;
        }

        return null;
    }
}
