// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Products;

namespace Nomadstack.Consul;

/// <summary>
/// The configuration file of a node's Consul client, accepted by every Consul from 1.8 on.
/// It never leaves by a signal, so a restart takes no service of the node out of the catalog.
/// </summary>
internal sealed record ConsulClientConfig
{
    /// <summary>The node's name.</summary>
    public required string Name { get; init; }

    public required string Address { get; init; }
    public required int Http { get; init; }
    public required int Serf { get; init; }
    public required int Dns { get; init; }
    public required string DataFolder { get; init; }

    /// <summary>Gossip of servers or clients, <c>ip:serfport</c>.</summary>
    public IReadOnlyList<string> Join { get; init; } = [];

    public string Datacenter { get; init; } = "dc1";

    public static ConsulClientConfig For(string name, string address, PortPlan ports, string dataFolder) => new()
    {
        Name = name,
        Address = address,
        Http = ports.ConsulClientHttp,
        Serf = ports.ConsulClientSerf,
        Dns = ports.ConsulClientDns,
        DataFolder = dataFolder,
    };

    public string Render()
    {
        var ports = new JsonObject { ["dns"] = Dns, ["http"] = Http, ["https"] = -1, ["grpc"] = -1, ["serf_lan"] = Serf };
        var configuration = AgentConfig.Start(Name, Datacenter, DataFolder, Address, ports, Join.Where(j => j != ConfigText.Endpoint(Address, Serf)));
        configuration["server"] = false;
        return ConfigText.Of(configuration);
    }
}
