// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.HashiCorp;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Nomad;

/// <summary>
/// The configuration file of a Nomad server, in JSON that every Nomad since 1.1 accepts. Everything listens only on the node's address.
/// SIGINT makes the server leave the cluster; SIGTERM only stops it. No version has an API call to leave, so the agent, which owns the process, sends SIGINT.
/// </summary>
internal sealed record NomadServerConfig
{
    /// <summary>Unique in gossip. The bootstrap server and the job server of a node need different names.</summary>
    public required string Name { get; init; }

    public required string Address { get; init; }
    public required int Http { get; init; }
    public required int Rpc { get; init; }
    public required int Serf { get; init; }
    public required string DataFolder { get; init; }

    /// <summary>Gossip of the other servers, <c>ip:serfport</c>. Without this server's own: joining itself counts as success and ends the retries.</summary>
    public IReadOnlyList<string> Join { get; init; } = [];

    /// <summary>True for the only server that makes a new cluster. With existing raft data it has no effect.</summary>
    public bool Bootstrap { get; init; }

    /// <summary>Autopilot does not remove a dead server if fewer voters than this would be left. Only the first value counts; later ones go through <see cref="IServerApi.KeepQuorumAsync"/>.</summary>
    public int MinQuorum { get; init; }

    /// <summary>How long a new server must be stable before it votes. Only the first value counts, as for <see cref="MinQuorum"/>.</summary>
    public TimeSpan ServerStabilizationTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the server shows and whom it believes; null for one that is open to everybody.</summary>
    public Credentials? Credentials { get; init; }

    /// <summary>False for a server that lets in whoever shows a certificate.</summary>
    public bool AccessControl { get; init; } = true;

    /// <summary>The key of the servers' gossip; null for none. Once <c>serf.keyring</c> exists, that counts.</summary>
    public string? GossipKey { get; init; }

    public string Region { get; init; } = "global";
    public string Datacenter { get; init; } = "dc1";

    /// <param name="join">Gossip of the other servers.</param>
    public static NomadServerConfig For(ServerSite site, IReadOnlyList<string> join) => new()
    {
        Name = site.Name,
        Address = site.Address,
        Http = site.Http,
        Rpc = site.Rpc,
        Serf = site.Serf,
        DataFolder = site.DataFolder,
        Join = join,
    };

    public string Render()
    {
        var server = new JsonObject
        {
            ["enabled"] = true,
            ["bootstrap_expect"] = Bootstrap ? 1 : 0,
            ["raft_protocol"] = 3,
            ["raft_multiplier"] = 1,
        };
        var own = ConfigText.Endpoint(Address, Serf);
        var others = Join.Where(j => j != own).Order(StringComparer.Ordinal).ToList();
        if (others.Count > 0)
            server["server_join"] = new JsonObject { ["retry_join"] = ConfigText.List(others), ["retry_interval"] = "1s", ["retry_max"] = 0 };
        if (GossipKey is not null) server["encrypt"] = GossipKey;

        var configuration = new JsonObject
        {
            ["name"] = Name,
            ["region"] = Region,
            ["datacenter"] = Datacenter,
            ["data_dir"] = DataFolder,
            ["bind_addr"] = Address,
            ["ports"] = new JsonObject { ["http"] = Http, ["rpc"] = Rpc, ["serf"] = Serf },
            ["advertise"] = new JsonObject
            {
                ["http"] = ConfigText.Endpoint(Address, Http),
                ["rpc"] = ConfigText.Endpoint(Address, Rpc),
                ["serf"] = own,
            },
            ["leave_on_interrupt"] = true,
            ["leave_on_terminate"] = false,
            ["disable_update_check"] = true,
            ["disable_anonymous_signature"] = true,
            ["server"] = server,
            ["autopilot"] = new JsonObject
            {
                ["cleanup_dead_servers"] = true,
                ["min_quorum"] = MinQuorum,
                ["server_stabilization_time"] = GoDuration.Format(ServerStabilizationTime),
            },
            // A server must not need anything that needs it, above all not Consul.
            ["consul"] = new JsonObject { ["auto_advertise"] = false, ["server_auto_join"] = false, ["client_auto_join"] = false },
        };
        NomadSecurity.Close(configuration, Credentials);
        if (!AccessControl) configuration.Remove("acl");
        return ConfigText.Of(configuration);
    }
}
