// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Consul;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Servers;

/// <summary>Consul's servers: configuration, node-id file, and the way they leave.</summary>
internal sealed class ConsulServers(NodeContext context, NodePrograms programs) : IServerProduct
{
    public string Role => Cluster.Role.Consul;

    public IServerApi Api(Uri http) => new ConsulApi(http.GetLeftPart(UriPartial.Authority), context.Time);

    public ProcessSpec Prepare(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        var program = programs.For(Role, version);
        var basis = site.Bootstrap
            ? ConsulServerConfig.Temporary(site.Name, site.Address, context.Node.Ports, site.DataFolder, program.Version)
            : ConsulServerConfig.Job(site.Name, site.Address, context.Node.Ports, site.DataFolder, program.Version) with { Join = join };
        ServerFiles.Write(site, (basis with { Bootstrap = site.Bootstrap, MinQuorum = voters, ServerStabilizationTime = Promotion.Stabilization }).Render(), site.DataFolder);
        return new(site.ProcessName, program.Path, program.Arguments("agent", "-config-file", site.ConfigFile), Path.Combine(context.Paths.Log, site.ProcessName + ".log"));
    }

    /// <summary>Leaves by its own call; the process ends by itself, and is then kept from being started again.</summary>
    public async Task LeaveAsync(Uri http, SupervisedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel)
    {
        var leaving = new ConsulApi(http.GetLeftPart(UriPartial.Authority), context.Time).LeaveAsync(deadline, cancel);
        await Task.WhenAny(leaving, gone ?? leaving);
        await process.StopAsync(Signals.SIGTERM, deadline, cancel, gone);
        await leaving;
    }

    /// <summary>None: everything Consul keeps is in raft.</summary>
    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => new HashSet<string>();

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Uri> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    public string MemberName(string serverName) => serverName;
}
