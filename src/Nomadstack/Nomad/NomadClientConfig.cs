// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.HashiCorp;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Nomad;

/// <summary>
/// The configuration file of a node's Nomad client, in JSON that every Nomad since 1.1 accepts.
/// It names the servers and our plugin. The client does not need Consul to find a server.
/// </summary>
internal sealed record NomadClientConfig
{
    /// <summary>The node's name.</summary>
    public required string Name { get; init; }

    /// <summary>The node's id in this stack. The client has it as metadata <c>nomadstack.node_id</c>.</summary>
    public required string NodeId { get; init; }

    public required string Address { get; init; }
    public required int Http { get; init; }
    public required string DataFolder { get; init; }

    /// <summary>Where our plugin is; null on a node that runs no servers. Older clients start every program that they find there.</summary>
    public required string? PluginFolder { get; init; }

    /// <summary>Servers' RPC, <c>ip:rpcport</c>. The client learns of further servers from those that answer, and keeps none over a restart.</summary>
    public IReadOnlyList<string> Servers { get; init; } = [];

    /// <summary>HTTP of this node's Consul client, <c>ip:port</c> or <c>unix://PATH</c>; null when the stack has no Consul.</summary>
    public string? Consul { get; init; }

    /// <summary>The token with which the client registers services in its Consul client; null where that is open.</summary>
    public string? ConsulToken { get; init; }

    /// <summary>What the client shows to its Consul client; null where that is open, or on a socket of this node. Nomad reads it at its start alone.</summary>
    public Credentials? ConsulCredentials { get; init; }

    /// <summary>What the client shows and whom it believes; null for one that is open to everybody.</summary>
    public Credentials? Credentials { get; init; }

    /// <summary>The interface of <see cref="Address"/>. With null, Nomad uses the interface of the default route, and does not start if there is none.</summary>
    public string? NetworkInterface { get; init; }

    public string NodeClass { get; init; } = "";
    public string Region { get; init; } = "global";
    public string Datacenter { get; init; } = "dc1";

    public static NomadClientConfig For(Product row, NodeFile node, string dataFolder, string? pluginFolder) => new()
    {
        Name = node.Name,
        NodeId = node.Id,
        Address = node.Address,
        Http = node.Ports[row.Port(ProductPort.Client, ProductPort.Http)],
        DataFolder = dataFolder,
        PluginFolder = pluginFolder,
    };

    public string Render()
    {
        // The cloud fingerprints ask a link-local address at each start, and delay the start if nobody answers.
        var denied = "env_aws,env_gce,env_azure,env_digitalocean" + (Consul is null ? ",consul" : "");
        var client = new JsonObject
        {
            ["enabled"] = true,
            ["servers"] = ConfigText.List(Servers.Order(StringComparer.Ordinal)),
            // A server lingers in our agent, not within kill_timeout. This setting only keeps Nomad from lowering a job's own value.
            ["max_kill_timeout"] = "10m",
            ["options"] = new JsonObject { ["fingerprint.denylist"] = denied },
            ["meta"] = new JsonObject { ["nomadstack.node_id"] = NodeId },
        };
        if (NetworkInterface is not null) client["network_interface"] = NetworkInterface;
        if (NodeClass.Length > 0) client["node_class"] = NodeClass;

        var configuration = new JsonObject
        {
            ["name"] = Name,
            ["region"] = Region,
            ["datacenter"] = Datacenter,
            ["data_dir"] = DataFolder,
            ["bind_addr"] = Address,
            ["ports"] = new JsonObject { ["http"] = Http },
            // A client does not use the last two, but without them it does not start on a loopback address.
            ["advertise"] = new JsonObject { ["http"] = ConfigText.Endpoint(Address, Http), ["rpc"] = Address, ["serf"] = Address },
            ["leave_on_interrupt"] = false,
            ["leave_on_terminate"] = false,
            ["disable_update_check"] = true,
            ["disable_anonymous_signature"] = true,
            ["client"] = client,
            ["consul"] = ConsulBlock(),
            ["plugin"] = new JsonObject { ["raw_exec"] = new JsonObject { ["config"] = new JsonObject { ["enabled"] = true } } },
        };
        if (PluginFolder is not null)
        {
            configuration["plugin_dir"] = PluginFolder;
            // Since 1.10 a plugin without its own block is skipped. Nomad's JSON parser drops an empty object but keeps a list.
            configuration["plugin"]!["nomadstack"] = new JsonObject { ["args"] = new JsonArray() };
        }

        NomadSecurity.Close(configuration, Credentials);
        return ConfigText.Of(configuration);
    }

    private JsonObject ConsulBlock()
    {
        var block = new JsonObject { ["auto_advertise"] = Consul is not null, ["server_auto_join"] = false, ["client_auto_join"] = false };
        if (Consul is null) return block;
        block["address"] = Consul;
        // Checks run in the Consul client, which must use the address on which Nomad listens.
        block["checks_use_advertise"] = true;
        if (ConsulToken is not null) block["token"] = ConsulToken;
        if (ConsulCredentials is not { } credentials) return block;
        block["ssl"] = true;
        block["verify_ssl"] = true;
        block["ca_file"] = credentials.CaFile;
        block["cert_file"] = credentials.CertificateFile;
        block["key_file"] = credentials.KeyFile;
        return block;
    }
}
