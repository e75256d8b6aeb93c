// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>An agent's configuration, as far as it says, and how it goes.</summary>
internal static class AgentSelfApi
{
    public static Task SelfAsync(ApiCall call)
    {
        var (config, server, client) = (call.Agent.Config, call.Agent.Server, call.Agent.Client);
        var stats = new JsonObject();
        if (server is not null)
        {
            stats["nomad"] = new JsonObject
            {
                ["server"] = "true",
                ["leader"] = server.Session is not null ? "true" : "false",
                ["leader_addr"] = server.LeaderAddress ?? "",
                ["bootstrap"] = config.Server!.BootstrapExpect == 1 ? "true" : "false",
                ["known_regions"] = "1",
                ["engine"] = "nomadstack's embedded engine: for development, tests and rehearsals",
            };
            stats["raft"] = RaftStats(server.Raft.Node);
            stats["serf"] = SerfStats(server.Members.All, server.Keys.Encrypts);
        }

        if (client is not null) stats["client"] = ClientStats(client, call.Now);
        stats["runtime"] = new JsonObject
        {
            ["kernel.name"] = "linux",
            ["arch"] = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
            ["version"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            ["cpu_count"] = AgentApi.Text(Environment.ProcessorCount),
        };
        return call.JsonAsync(new JsonObject
        {
            ["config"] = new JsonObject
            {
                ["Name"] = config.Name,
                ["NodeName"] = config.Name,
                ["Region"] = config.Region,
                ["Datacenter"] = config.Datacenter,
                ["DataDir"] = config.DataDir,
                ["BindAddr"] = config.BindAddr,
                ["Ports"] = new JsonObject { ["HTTP"] = config.Ports.Http, ["RPC"] = config.Ports.Rpc, ["Serf"] = config.Ports.Serf },
                ["AdvertiseAddrs"] = new JsonObject { ["HTTP"] = config.Advertise.Http, ["RPC"] = config.Advertise.Rpc, ["Serf"] = config.Advertise.Serf },
                ["LeaveOnInt"] = config.LeaveOnInterrupt,
                ["LeaveOnTerm"] = config.LeaveOnTerminate,
                ["Server"] = new JsonObject { ["Enabled"] = server is not null, ["BootstrapExpect"] = config.Server?.BootstrapExpect ?? 0, ["RaftProtocol"] = 3 },
                ["Client"] = new JsonObject { ["Enabled"] = client is not null, ["Servers"] = new JsonArray([.. (config.Client?.Servers ?? []).Select(s => (JsonNode)JsonValue.Create(s))]) },
                ["ACL"] = new JsonObject { ["Enabled"] = config.Acl.Enabled },
                ["TLSConfig"] = Tls(call.Agent.Tls.Config),
                ["Version"] = new JsonObject { ["Version"] = EngineVersion.Number, ["VersionPrerelease"] = EngineVersion.Suffix, ["VersionMetadata"] = "", ["Revision"] = "" },
            },
            ["member"] = server is not null ? AgentApi.Member(server.Members.All.First(m => m.Member.ID == server.Raft.Id)) : NoMember(),
            ["stats"] = stats,
        });
    }

    private static JsonObject SerfStats(IReadOnlyList<MemberView> members, bool encrypted) => new()
    {
        ["members"] = AgentApi.Text(members.Count),
        ["failed"] = AgentApi.Text(members.Count(m => m.Status == MemberStatus.Failed)),
        ["left"] = AgentApi.Text(members.Count(m => m.Status == MemberStatus.Left)),
        ["encrypted"] = encrypted ? "true" : "false",
    };

    private static JsonObject Tls(TlsConfig tls) => new()
    {
        ["EnableHTTP"] = tls.Http,
        ["EnableRPC"] = tls.Rpc,
        ["VerifyServerHostname"] = tls.VerifyServerHostname,
        ["VerifyHTTPSClient"] = tls.VerifyHttpsClient,
        ["RPCUpgradeMode"] = tls.RpcUpgradeMode,
        ["CAFile"] = tls.CaFile,
        ["CertFile"] = tls.CertFile,
        ["KeyFile"] = tls.KeyFile,
        ["TLSMinVersion"] = tls.MinVersion,
    };

    private static JsonObject ClientStats(NomadClient client, DateTimeOffset now)
    {
        var beat = client.Servers.LastHeartbeat;
        return new JsonObject
        {
            ["node_id"] = client.Agent.Node.ID,
            ["known_servers"] = string.Join(',', client.Servers.Addresses),
            ["num_allocations"] = AgentApi.Text(client.Agent.Allocations.Count(a => !a.Terminal.IsCompleted)),
            ["last_heartbeat"] = beat is { } last ? GoDuration.Format(now - last.At) : "never",
            ["heartbeat_ttl"] = GoDuration.Format(beat?.Ttl ?? TimeSpan.Zero),
            ["engine"] = "nomadstack's embedded engine: for development, tests and rehearsals",
        };
    }

    /// <summary>A client takes no part in gossip.</summary>
    private static JsonObject NoMember() => new() { ["Name"] = "", ["Addr"] = null, ["Port"] = 0, ["Status"] = "", ["Tags"] = null, ["ProtocolMin"] = 0, ["ProtocolMax"] = 0, ["ProtocolCur"] = 0, ["DelegateMin"] = 0, ["DelegateMax"] = 0, ["DelegateCur"] = 0 };

    private static JsonObject RaftStats(RaftNode? node)
    {
        // A server that does not know yet how it begins follows nobody.
        var status = node?.Status;
        var servers = (status?.Configuration ?? RaftConfiguration.Empty).Servers;
        return new JsonObject
        {
            ["state"] = status?.Role.ToString() is { } role ? (role == "PreCandidate" ? "Candidate" : role) : "Follower",
            ["term"] = AgentApi.Text(status?.Term ?? 0),
            ["last_log_index"] = AgentApi.Text(status?.Last ?? 0),
            ["last_log_term"] = AgentApi.Text(status?.Term ?? 0),
            ["commit_index"] = AgentApi.Text(status?.Commit ?? 0),
            ["applied_index"] = AgentApi.Text(status?.Applied ?? 0),
            ["fsm_pending"] = "0",
            ["last_snapshot_index"] = AgentApi.Text(status?.Snapshot ?? 0),
            ["last_contact"] = node?.LastContact is { } contact ? (contact == TimeSpan.Zero ? "0" : $"{AgentApi.Text((long)contact.TotalMilliseconds)}ms") : "never",
            ["latest_configuration"] = $"[{string.Join(' ', servers.Select(s => $"{{Suffrage:{(s.Suffrage == Suffrage.Voter ? "Voter" : "Nonvoter")} ID:{s.Id} Address:{s.Address}}}"))}]",
            ["latest_configuration_index"] = "0",
            ["num_peers"] = AgentApi.Text(Math.Max(0, servers.Count(s => s.Suffrage == Suffrage.Voter) - 1)),
            ["protocol_version"] = "3",
            ["protocol_version_min"] = "0",
            ["protocol_version_max"] = "3",
        };
    }
}
