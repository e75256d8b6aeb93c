// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.HashiCorp;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Consul;

/// <summary>The code for Consul: configuration, node-id file, how its servers leave, and its client, which has nothing that a blank server could remove.</summary>
internal sealed class ConsulProduct(Product row, NodeContext context, NodePrograms programs) : IProduct
{
    /// <summary>The states of a client.</summary>
    public const string Alive = "alive", Failed = "failed";

    public Product Row => row;

    public string ClientFinds => ProductPort.Serf;

    public string UnknownClient => Failed;

    public IServerApi Server(Endpoint endpoint) => new ConsulApi(endpoint, context.Time);

    /// <summary>The client learns of servers by gossip.</summary>
    public IClientApi? Client(Endpoint endpoint) => null;

    public ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        var program = programs.For(row, version);
        var configuration = ConsulServerConfig.For(site, site.Bootstrap ? [BootstrapJoins(site)] : join, program.Version) with { Bootstrap = site.Bootstrap, MinQuorum = voters, ServerStabilizationTime = Promotion.Stabilization };
        ServerFiles.Write(site, configuration.Render(), site.DataFolder);
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config-file", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    public ProcessSpec PrepareClient(IReadOnlyList<string> servers)
    {
        var configuration = ConsulClientConfig.For(row, context.Node, Path.Combine(context.Paths.Client(row.Name), "data")) with { Join = servers };
        // The key for the web interface was renamed between versions; the flag was not.
        return ClientFiles.Write(row, context, programs, configuration.Render(), "-config-file", "-ui");
    }

    public void BeforeClientStart()
    {
    }

    /// <summary>Leaves through its API call. The process ends by itself and is then not started again.</summary>
    public async Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel)
    {
        var leaving = new ConsulApi(server, context.Time).LeaveAsync(deadline, cancel);
        await Task.WhenAny(leaving, gone ?? leaving);
        await process.StopAsync(Signals.SIGTERM, deadline, cancel, gone);
        await leaving;
    }

    /// <summary>None: everything Consul keeps is in raft.</summary>
    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => new HashSet<string>();

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    public string MemberName(string serverName) => serverName;

    /// <summary>A bootstrap server joins the node's job server as soon as that listens, so that no permanent file ever contains a bootstrap port.</summary>
    private string BootstrapJoins(ServerSite site) => ConfigText.Endpoint(site.Address, context.Node.Ports.Of(row, ProductPort.Server, ProductPort.Serf));
}
