// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Security;

namespace Nomadstack.Nomad;

/// <summary>What closes a Nomad agent, server or client: the same blocks in every version since 1.1.</summary>
internal static class NomadSecurity
{
    /// <summary>
    /// HTTP demands a certificate of our authority as well. Until the first token exists, nobody else may ask for it: a call that comes before the election is kept and answered
    /// (run on 2.0.5, where a stranger won). Later, the API would still tell everybody its metrics and its leader.
    /// </summary>
    public static void Close(JsonObject configuration, Credentials? credentials)
    {
        if (credentials is null) return;
        configuration["tls"] = new JsonObject
        {
            ["http"] = true,
            ["rpc"] = true,
            ["ca_file"] = credentials.CaFile,
            ["cert_file"] = credentials.CertificateFile,
            ["key_file"] = credentials.KeyFile,
            ["verify_server_hostname"] = true,
            ["verify_https_client"] = true,
        };
        configuration["acl"] = new JsonObject { ["enabled"] = true };
    }
}
