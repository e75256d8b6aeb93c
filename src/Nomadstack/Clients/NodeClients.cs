// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Clients;

/// <summary>The two member processes of this node, as the operations see them.</summary>
internal sealed class NodeClients(NodeContext context, NomadClientKeeper nomad, ConsulClientKeeper consul, Func<Uri, NomadApi> api)
{
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);

    public NomadClientKeeper Nomad { get; } = nomad;

    public ConsulClientKeeper Consul { get; } = consul;

    /// <summary>What the Nomad client knows of servers, kept up to date.</summary>
    public ServerList Servers => field ??= new(context, api, () => ClientApi, () => Nomad.Runs);

    private NomadApi ClientApi => api(new Uri("http://" + HostPort.Join(context.Node.Address, context.Node.Ports.NomadClientHttp)));

    /// <summary>Writes both configurations anew with today's servers, for the next start.</summary>
    public void Refresh()
    {
        Nomad.Refresh();
        if (context.Membership.Current is { Consul: true }) Consul.Refresh();
    }

    /// <summary>Gives the running Nomad client the job servers, so that it knows no others. It keeps its list in memory alone.</summary>
    public async Task PointAtJobServersAsync(CancellationToken cancel)
    {
        var servers = KnownServer.Of(context.Membership.Current, Role.Nomad).Where(s => !s.IsBootstrap).Select(s => s.Rpc).ToList();
        if (servers.Count > 0 && Nomad.Runs) await ClientApi.SetServersAsync(servers, s_callDeadline, cancel);
    }

    /// <summary>Whether neither a configuration file nor the client's own server list names a bootstrap port.</summary>
    public async Task<bool> NameNoBootstrapAsync(CancellationToken cancel)
    {
        int[] ports = [context.Node.Ports.NomadBootstrapRpc, context.Node.Ports.NomadBootstrapSerf, context.Node.Ports.ConsulBootstrapRpc, context.Node.Ports.ConsulBootstrapSerf];
        var suffixes = ports.Select(p => ":" + p.ToString(CultureInfo.InvariantCulture)).ToList();
        foreach (var file in new[] { context.Paths.Client(Role.Nomad), context.Paths.Client(Role.Consul), context.Paths.Server(Role.Nomad), context.Paths.Server(Role.Consul) }.Select(f => Path.Combine(f, "config.json")).Where(File.Exists))
        {
            var text = await File.ReadAllTextAsync(file, cancel);
            if (suffixes.Any(text.Contains)) return false;
        }

        return (await ClientApi.AgentSelfAsync(s_callDeadline, cancel)).Try(out var self) && !self.KnownServers.Any(s => suffixes.Any(s.EndsWith));
    }

    /// <summary>Stops both, Nomad first.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        await Nomad.StopAsync(cancel);
        await Consul.StopAsync(cancel);
    }

    /// <summary>Moves both folders aside: they belong to a cluster that was undone.</summary>
    public void Retire()
    {
        foreach (var product in Role.All) Retirement.Retire(context.Paths, context.Paths.Client(product), product + "-client", context.Time.GetUtcNow());
    }
}
