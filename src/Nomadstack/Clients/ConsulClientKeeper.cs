// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Servers;

namespace Nomadstack.Clients;

/// <summary>Keeps this node's Consul client running. It holds nothing that a blank server could take away, so it needs no gate.</summary>
internal sealed class ConsulClientKeeper(NodeContext context, SupervisedProcess process, Func<IReadOnlyList<string>, ProcessSpec> prepare)
{
    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(10);

    public bool Runs => process.Pid is not null;

    public int? Pid => process.Pid;

    /// <summary>Starts the client or adopts the one that runs. Repeatable.</summary>
    public Task StartAsync(CancellationToken cancel) =>
        Fault.AroundAsync("start-consul-client", async () =>
        {
            var spec = prepare(Servers());
            if ((await process.OpenAsync(cancel)).Running is null) await process.StartAsync(spec, cancel);
        });

    /// <summary>Writes the configuration anew with servers of today, for the next start.</summary>
    public void Refresh()
    {
        prepare(Servers());
    }

    /// <summary>Stops the client without a leave: the node comes back under the same name.</summary>
    public Task StopAsync(CancellationToken cancel) => process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);

    /// <summary>Before any server is recorded: the place where this node's own will be. Consul tries again until somebody is there.</summary>
    private List<string> Servers()
    {
        var servers = KnownServer.Of(context.Membership.Current, Role.Consul).Where(s => !s.IsBootstrap).Select(s => s.Serf).ToList();
        return servers.Count > 0 ? servers : [HostPort.Join(context.Node.Address, context.Node.Ports.ConsulServerSerf)];
    }
}
