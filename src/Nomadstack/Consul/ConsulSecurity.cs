// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Cluster;
using Nomadstack.Security;

namespace Nomadstack.Consul;

/// <summary>What a closed Consul agent shows, believes and says.</summary>
/// <param name="GossipKey">Once <c>serf/local.keyring</c> exists, that counts.</param>
/// <param name="AgentToken">For the agent's own work; null for a server without access control.</param>
/// <param name="DefaultToken">For callers that say none, above all DNS; null for none.</param>
/// <param name="InitialManagement">
/// The first management token, only for the server that makes the cluster: the elected leader enters it at once, so that there is no moment at which a stranger could ask for one.
/// Every leader that has it in its file would enter it again (consul#4977).
/// </param>
internal sealed record ConsulSecurity(Credentials Credentials, string GossipKey, string? AgentToken, string? DefaultToken = null, string? InitialManagement = null)
{
    /// <summary>The keys of that version. HTTP moves to TLS on the same port.</summary>
    public void Close(JsonObject configuration, SemVer version)
    {
        var ports = configuration["ports"]!.AsObject();
        ports["https"] = ports["http"]!.GetValue<int>();
        ports["http"] = -1;
        configuration["encrypt"] = GossipKey;
        var files = new JsonObject { ["ca_file"] = Credentials.CaFile, ["cert_file"] = Credentials.CertificateFile, ["key_file"] = Credentials.KeyFile, ["verify_incoming"] = true, ["verify_outgoing"] = true };
        if (version.AtLeast(1, 12))
        {
            configuration["tls"] = new JsonObject { ["defaults"] = files, ["internal_rpc"] = new JsonObject { ["verify_server_hostname"] = true } };
        }
        else
        {
            foreach (var (key, value) in files.ToList()) configuration[key] = value!.DeepClone();
            configuration["verify_server_hostname"] = true;
        }

        if (AgentToken is null) return;
        var tokens = new JsonObject { ["agent"] = AgentToken };
        if (DefaultToken is not null) tokens["default"] = DefaultToken;
        if (InitialManagement is not null) tokens[version.AtLeast(1, 11) ? "initial_management" : "master"] = InitialManagement;
        configuration["acl"] = new JsonObject { ["enabled"] = true, ["default_policy"] = "deny", ["down_policy"] = "extend-cache", ["tokens"] = tokens };
    }
}
