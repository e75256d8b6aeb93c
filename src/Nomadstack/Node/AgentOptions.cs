// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;

namespace Nomadstack.Node;

/// <summary>What the operator asked of <c>nomadstack up</c> or <c>nomadstack agent</c>, syntax checked and no more.</summary>
/// <param name="DataDir">Null for the default of <see cref="Storage.NodePaths"/>.</param>
/// <param name="Bind">An IP address, or null for the daemon to choose.</param>
/// <param name="Name">Null for the host's name.</param>
/// <param name="Servers">Most servers of a new cluster: 1, 3 or 5.</param>
/// <param name="Engine"><c>auto|nomad|embedded</c>.</param>
/// <param name="Consul">Whether a new cluster has Consul.</param>
/// <param name="Join">HOST or HOST:PORT of a member; null to join nothing.</param>
/// <param name="TokenFile">File that holds the join token; given exactly when <paramref name="Join"/> is.</param>
/// <param name="NomadProgram">Path of the nomad binary; null to look for one.</param>
/// <param name="ConsulProgram">Path of the consul binary; null to look for one.</param>
/// <param name="Ports">Ports that differ from the default, by <see cref="PortNames"/>.</param>
internal sealed record AgentOptions(
    string? DataDir,
    string? Bind,
    string? Name,
    int Servers,
    string Engine,
    bool Consul,
    string? Join,
    string? TokenFile,
    string? NomadProgram,
    string? ConsulProgram,
    IReadOnlyDictionary<string, int> Ports)
{
    /// <summary>A mirror or folder that programs found nowhere are fetched from, or <see cref="ProgramDownload.Never"/>; null for HashiCorp's.</summary>
    public string? FetchFrom { get; init; }

    /// <summary>Told of a download before the agent can answer for itself.</summary>
    public Action<FetchProgress>? Fetching { get; init; }

    /// <summary>The given plan with the asked-for ports in their places.</summary>
    public PortPlan PortsOver(PortPlan plan) => Ports.Aggregate(plan, (sofar, port) => PortNames.All[port.Key](sofar, port.Value));
}

/// <summary>The ports of a <see cref="PortPlan"/> as the command line names them.</summary>
internal static class PortNames
{
    /// <summary>Name to "this plan with that port".</summary>
    public static IReadOnlyDictionary<string, Func<PortPlan, int, PortPlan>> All { get; } = new Dictionary<string, Func<PortPlan, int, PortPlan>>
    {
        ["peers"] = (plan, port) => plan with { Peers = port },
        ["nomad-client-http"] = (plan, port) => plan with { NomadClientHttp = port },
        ["nomad-server-http"] = (plan, port) => plan with { NomadServerHttp = port },
        ["nomad-server-rpc"] = (plan, port) => plan with { NomadServerRpc = port },
        ["nomad-server-serf"] = (plan, port) => plan with { NomadServerSerf = port },
        ["nomad-bootstrap-http"] = (plan, port) => plan with { NomadBootstrapHttp = port },
        ["nomad-bootstrap-rpc"] = (plan, port) => plan with { NomadBootstrapRpc = port },
        ["nomad-bootstrap-serf"] = (plan, port) => plan with { NomadBootstrapSerf = port },
        ["consul-client-http"] = (plan, port) => plan with { ConsulClientHttp = port },
        ["consul-client-serf"] = (plan, port) => plan with { ConsulClientSerf = port },
        ["consul-client-dns"] = (plan, port) => plan with { ConsulClientDns = port },
        ["consul-server-http"] = (plan, port) => plan with { ConsulServerHttp = port },
        ["consul-server-rpc"] = (plan, port) => plan with { ConsulServerRpc = port },
        ["consul-server-serf"] = (plan, port) => plan with { ConsulServerSerf = port },
        ["consul-bootstrap-http"] = (plan, port) => plan with { ConsulBootstrapHttp = port },
        ["consul-bootstrap-rpc"] = (plan, port) => plan with { ConsulBootstrapRpc = port },
        ["consul-bootstrap-serf"] = (plan, port) => plan with { ConsulBootstrapSerf = port },
    };
}
