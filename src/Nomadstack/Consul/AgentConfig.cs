// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.HashiCorp;

namespace Nomadstack.Consul;

/// <summary>The common part of a Consul server's and a Consul client's configuration.</summary>
internal static class AgentConfig
{
    public static JsonObject Start(string name, string datacenter, string dataFolder, string address, JsonObject ports, IEnumerable<string> join)
    {
        var configuration = new JsonObject
        {
            ["node_name"] = name,
            ["datacenter"] = datacenter,
            ["data_dir"] = dataFolder,
            ["bind_addr"] = address,
            ["client_addr"] = address,
            ["advertise_addr"] = address,
            ["ports"] = ports,
            ["leave_on_terminate"] = false,
            ["skip_leave_on_interrupt"] = true,
            // After a leave, a new start means that the agent should join again.
            ["rejoin_after_leave"] = true,
            ["disable_update_check"] = true,
        };
        var others = join.Order(StringComparer.Ordinal).ToList();
        if (others.Count == 0) return configuration;
        configuration["retry_join"] = ConfigText.List(others);
        configuration["retry_interval"] = "1s";
        configuration["retry_max"] = 0;
        return configuration;
    }
}
