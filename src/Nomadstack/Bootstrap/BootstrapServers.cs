// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Bootstrap;

/// <summary>
/// The temporary servers with which the first cluster starts. Each is recorded before it starts and retired after it has left,
/// so that an agent that is killed at any moment knows what it has made.
/// </summary>
internal sealed class BootstrapServers(NodeContext context, IReadOnlyDictionary<string, IProduct> products, Func<ServerSite, IProduct, ServerInstance> instantiate)
{
    private readonly Dictionary<string, (ServerRecord Record, ServerInstance Instance)> _servers = [];

    public ServerInstance? Instance(string role) => Find(role)?.Instance;

    public bool IsLeaving(string role) => Find(role)?.Record.Leaving ?? false;

    public bool Exists(string role) => Find(role) is not null;

    /// <summary>Creates the server's identity, then starts it or adopts the one that runs.</summary>
    /// <param name="beforeFirst">Runs before the start, while the server has no data yet; null for nothing.</param>
    public async Task StartAsync(string role, Func<ServerInstance, Task>? beforeFirst, CancellationToken cancel)
    {
        if (Find(role) is not { } server)
        {
            var record = new ServerRecord { Role = role, RaftId = Guid.NewGuid().ToString() };
            await Fault.AroundAsync($"record-{role}-bootstrap", () =>
            {
                File(role).Write(record);
                return Task.CompletedTask;
            });
            server = Remember(record);
        }

        Publish();
        if (beforeFirst is not null && !Directory.Exists(server.Instance.Site.DataFolder)) await beforeFirst(server.Instance);
        await Fault.AroundAsync($"start-{role}-bootstrap", () => server.Instance.StartAsync([], 1, null, cancel));
    }

    /// <summary>Starts the recorded servers, after a power cut during a bootstrap.</summary>
    public async Task StartRecordedAsync(CancellationToken cancel)
    {
        foreach (var role in products.Keys)
        {
            if (Find(role) is not { } server) continue;
            // A server that was leaving may already be out of the quorum. It runs only if it outlived the agent.
            if (!server.Record.Leaving || await server.Instance.RunsAsync(cancel)) await server.Instance.StartAsync([], 1, null, cancel);
        }

        Publish();
    }

    /// <summary>The commit point: from here on the bootstrap server leaves in any case.</summary>
    public Task IntendLeaveAsync(string role) => Fault.AroundAsync($"intend-leave-{role}-bootstrap", () =>
    {
        var server = Find(role)!.Value;
        var record = server.Record with { Leaving = true };
        File(role).Write(record);
        _servers[role] = (record, server.Instance);
        return Task.CompletedTask;
    });

    /// <summary>Leaves and retires.</summary>
    public async Task RemoveAsync(string role, Action<string> say, CancellationToken cancel)
    {
        if (Find(role) is not { } server) return;
        await server.Instance.LeaveClusterAsync(() => [.. KnownServer.Of(context.Membership.Current, role).Where(s => !s.IsBootstrap)], say, cancel);
        await RetireAsync(role, cancel);
    }

    /// <summary>Stops without a leave and retires: part of undoing a failed bootstrap.</summary>
    public async Task DropAsync(string role, CancellationToken cancel)
    {
        if (Find(role) is not { } server) return;
        await server.Instance.StopAsync(cancel);
        await RetireAsync(role, cancel);
    }

    private async Task RetireAsync(string role, CancellationToken cancel)
    {
        var server = Find(role)!.Value;
        await Fault.AroundAsync($"retire-{role}-bootstrap", () =>
        {
            server.Instance.Retire(context.Paths);
            return Task.CompletedTask;
        });
        await server.Instance.Process.ForgetAsync(cancel);
        _servers.Remove(role);
        Publish();
    }

    private (ServerRecord Record, ServerInstance Instance)? Find(string role) =>
        _servers.TryGetValue(role, out var server) ? server
        : products.ContainsKey(role) && File(role).Read() is { } record ? Remember(record)
        : null;

    private (ServerRecord Record, ServerInstance Instance) Remember(ServerRecord record) =>
        _servers[record.Role] = (record, instantiate(ServerSite.OfBootstrap(products[record.Role].Row, context.Node, context.Paths, record.RaftId), products[record.Role]));

    private DurableFile<ServerRecord> File(string role) => ServerRecord.At(context.Paths.BootstrapServer(role));

    private void Publish()
    {
        if (context.Membership.Current is null) return;
        var entries = products.Keys.Select(Find).Where(s => s is not null).Select(s => s!.Value.Instance.Site.ToEntry(s.Value.Record.Leaving ? "lingering" : "running")).ToList();
        context.Membership.UpdateSelf(self =>
        {
            IReadOnlyList<Peers.ServerEntry> all = [.. self.Servers.Where(s => s.ManagedBy != "bootstrap"), .. entries];
            return all.SequenceEqual(self.Servers) ? self : self with { Servers = all };
        });
    }
}
