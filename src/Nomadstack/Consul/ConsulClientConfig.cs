// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.HashiCorp;
using Nomadstack.Storage;

namespace Nomadstack.Consul;

/// <summary>
/// The configuration file of a node's Consul client, accepted by every Consul since 1.8.
/// No signal makes it leave, so a restart does not remove the node's services from the catalog.
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

    /// <summary>The version of the Consul that reads it.</summary>
    public required SemVer Version { get; init; }

    /// <summary>Null for a client that is open to everybody.</summary>
    public ConsulSecurity? Security { get; init; }

    /// <summary>A socket for this node's own programs, which need no certificate there and so no restart for a new one; null for none. Only for a closed client.</summary>
    public string? Socket { get; init; }

    public static ConsulClientConfig For(Product row, NodeFile node, string dataFolder, SemVer version) => new()
    {
        Version = version,
        Name = node.Name,
        Address = node.Address,
        Http = node.Ports[row.Port(ProductPort.Client, ProductPort.Http)],
        Serf = node.Ports[row.Port(ProductPort.Client, ProductPort.Serf)],
        Dns = node.Ports[row.Port(ProductPort.Client, ProductPort.Dns)],
        DataFolder = dataFolder,
    };

    public string Render()
    {
        var ports = new JsonObject { ["dns"] = Dns, ["http"] = Http, ["https"] = -1, ["grpc"] = -1, ["serf_lan"] = Serf };
        var configuration = AgentConfig.Start(Name, Datacenter, DataFolder, Address, ports, Join.Where(j => j != ConfigText.Endpoint(Address, Serf)));
        configuration["server"] = false;
        Security?.Close(configuration, Version);
        if (Security is not null && Socket is not null)
        {
            // Not a TCP port: it only has to be one that is not switched off.
            ports["http"] = Http;
            configuration["addresses"] = new JsonObject { ["http"] = "unix://" + Socket };
            configuration["unix_sockets"] = new JsonObject { ["mode"] = "0600" };
        }

        return ConfigText.Of(configuration);
    }
}
