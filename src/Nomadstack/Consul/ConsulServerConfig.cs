// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.HashiCorp;
using Nomadstack.Products;

namespace Nomadstack.Consul;

/// <summary>
/// The configuration file of a Consul server, accepted by every Consul since 1.8. Everything listens only on the node's address, on the server's own ports.
/// No signal makes it leave the cluster: it leaves only through <c>PUT /v1/agent/leave</c>, so any other stop is only a stop.
/// </summary>
internal sealed record ConsulServerConfig
{
    /// <summary>Unique among servers and clients. Not the node's name, which its client has.</summary>
    public required string Name { get; init; }

    public required string Address { get; init; }
    public required int Http { get; init; }
    public required int Rpc { get; init; }
    public required int Serf { get; init; }
    public required string DataFolder { get; init; }

    /// <summary>The version of the Consul that reads it: newer ones open a port by default that older ones do not know.</summary>
    public required SemVer Version { get; init; }

    /// <summary>Gossip of the other servers, <c>ip:serfport</c>. Without this server's own: joining itself counts as success and ends the retries.</summary>
    public IReadOnlyList<string> Join { get; init; } = [];

    /// <summary>True for the only server that makes a new cluster. With existing raft data it has no effect.</summary>
    public bool Bootstrap { get; init; }

    /// <summary>Autopilot does not remove a dead server if fewer voters than this would be left. Only the first value counts; later ones go through the API.</summary>
    public int MinQuorum { get; init; }

    public TimeSpan ServerStabilizationTime { get; init; } = TimeSpan.FromSeconds(10);
    public string Datacenter { get; init; } = "dc1";

    /// <summary>Null for a server that is open to everybody.</summary>
    public ConsulSecurity? Security { get; init; }

    /// <summary>Ten years: raft decides whether a server's data is still valid, not the calendar.</summary>
    private const string LongestAway = "87600h";

    /// <param name="join">Gossip of the other servers.</param>
    public static ConsulServerConfig For(ServerSite site, IReadOnlyList<string> join, SemVer version) => new()
    {
        Name = site.Name,
        Address = site.Address,
        Http = site.Http,
        Rpc = site.Rpc,
        Serf = site.Serf,
        DataFolder = site.DataFolder,
        Version = version,
        Join = join,
    };

    public string Render()
    {
        var ports = new JsonObject { ["dns"] = -1, ["http"] = Http, ["https"] = -1, ["grpc"] = -1, ["serf_lan"] = Serf, ["serf_wan"] = -1, ["server"] = Rpc };
        // On by default for servers since 1.14, with the same port for every server on a host.
        if (Version.AtLeast(1, 14)) ports["grpc_tls"] = -1;

        var configuration = AgentConfig.Start(Name, Datacenter, DataFolder, Address, ports, Join.Where(j => j != ConfigText.Endpoint(Address, Serf)));
        configuration["server"] = true;
        if (Bootstrap) configuration["bootstrap_expect"] = 1;
        // Since that version, a server that was off for a week (by default) does not start. A cluster without power for longer would be lost.
        if (Version.AtLeast(1, 15, 3)) configuration["server_rejoin_age_max"] = LongestAway;
        configuration["performance"] = new JsonObject { ["raft_multiplier"] = 1, ["leave_drain_time"] = "500ms" };
        configuration["autopilot"] = new JsonObject
        {
            ["cleanup_dead_servers"] = true,
            ["min_quorum"] = MinQuorum,
            ["server_stabilization_time"] = GoDuration.Format(ServerStabilizationTime),
        };
        Security?.Close(configuration, Version);
        return ConfigText.Of(configuration);
    }
}
