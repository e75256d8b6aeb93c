// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Clients;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Node;

/// <summary>Renews this node's certificates and makes its running agents read them. SIGHUP is enough for all of them, servers keep their leadership (run on 1.1.2, 1.8.7 and 2.0.5).</summary>
internal sealed class CredentialKeeper(NodeContext context, ServerHost host, NodeClients clients)
{
    /// <summary>A certificate is renewed ten days before it ends, so an hour more or less does not matter.</summary>
    private static readonly TimeSpan s_between = TimeSpan.FromHours(1);

    private readonly ILogger _log = context.Logs.CreateLogger<CredentialKeeper>();

    /// <summary>One round, and the wait for a change of what the cluster believes, or for the next hour.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var seen = context.Membership.Current;
        await RoundAsync(cancel);
        await context.Membership.ChangedSinceAsync(seen, s_between, cancel);
    }

    public async Task RoundAsync(CancellationToken cancel)
    {
        foreach (var (product, since) in context.Trust.Renew().Where(r => context.Products.Contains(r.Product)))
        {
            var age = context.Time.GetUtcNow() - since;
            var reloaded = false;
            if (HasOlder(host.Pid(product.Name), age))
            {
                host.Signal(product.Name, Signals.SIGHUP);
                reloaded = true;
            }

            if (product.HasClient && clients[product.Name] is var client && HasOlder(client.Pid, age))
            {
                await client.ReloadAsync();
                reloaded = true;
            }

            // The scheduler's client reads what it shows to the catalog only at its start. Its tasks run on meanwhile.
            if (product.IsCatalog && HasOlder(clients.Scheduler.Pid, age)) await clients.Scheduler.RestartAsync(cancel);
            context.Trust.Reloaded(product);
            if (reloaded) _log.LogInformation("This node's {Product} certificate or authorities are new, and its {Product} agents read them again", product.Title, product.Title);
        }
    }

    /// <summary>An agent that started after the files were written has read them. SIGHUP would end one that has only just started.</summary>
    private static bool HasOlder(int? pid, TimeSpan age) => pid is { } own && ProcFs.Identify(own) is { } process && ProcFs.Age(process) > age;
}
