// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What an agent says of itself and of the others, leader or not.</summary>
internal static class AgentApi
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
            stats["serf"] = SerfStats(server.Members.All);
        }

        if (client is not null) stats["client"] = ClientStats(client, call.Now);
        stats["runtime"] = new JsonObject
        {
            ["kernel.name"] = "linux",
            ["arch"] = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
            ["version"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            ["cpu_count"] = Text(Environment.ProcessorCount),
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
            ["member"] = server is not null ? Member(server.Members.All.First(m => m.Member.ID == server.Raft.Id)) : NoMember(),
            ["stats"] = stats,
        });
    }

    public static Task MembersAsync(ApiCall call) => call.JsonAsync(new JsonObject
    {
        ["ServerName"] = call.Server.Config.Name,
        ["ServerRegion"] = call.Server.Config.Region,
        ["ServerDC"] = call.Server.Config.Datacenter,
        ["Members"] = new JsonArray([.. call.Server.Members.All.Select(Member)]),
    });

    public static async Task HealthAsync(ApiCall call)
    {
        if (call.Query("type") is not (null or "client" or "server")) throw ServerException.Invalid($"type: \"{call.Query("type")}\" is neither \"client\" nor \"server\"");
        var (answer, well) = (new JsonObject(), true);
        if (call.Agent.Client is { } client && call.Query("type") is null or "client")
        {
            var known = client.Servers.Addresses.Count > 0;
            answer["client"] = new JsonObject { ["ok"] = known, ["message"] = known ? "ok" : "no known servers" };
            well = known;
        }

        if (call.Agent.Server is { } server && call.Query("type") is null or "server")
        {
            using var late = new CancellationTokenSource(NomadServer.LeaderHold, server.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, call.Cancel);
            var message = "ok";
            try
            {
                await server.LeaderAsync(either.Token);
            }
            catch (NotLeaderException e)
            {
                (well, message) = (false, e.Message);
            }

            answer["server"] = new JsonObject { ["ok"] = message == "ok", ["message"] = message };
        }

        await call.JsonAsync(answer, well ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError);
    }

    /// <summary>A client's servers, read or given anew; a server has none.</summary>
    public static async Task ServersAsync(ApiCall call)
    {
        var servers = (call.Agent.Client ?? throw Unsupported()).Servers;
        if (HttpMethods.IsGet(call.Http.Request.Method))
        {
            await call.ListAsync(servers.Addresses.Order(StringComparer.Ordinal).Select(s => (JsonNode)JsonValue.Create(s)));
            return;
        }

        var addresses = call.Http.Request.Query["address"].OfType<string>().Where(a => a.Length > 0).Select(a => HostPort.Complete(a, AgentPorts.DefaultRpc)).ToList();
        if (addresses.Count == 0) throw ServerException.Invalid("missing server address");
        if (await servers.ReplaceAsync(addresses, call.Cancel) is { } complaints) throw ServerException.Invalid(Several([.. complaints]));
        await call.NothingAsync();
    }

    public static async Task JoinAsync(ApiCall call)
    {
        var members = (call.Agent.Server ?? throw Unsupported()).Members;
        var addresses = call.Http.Request.Query["address"].OfType<string>().Where(a => a.Length > 0).ToList();
        if (addresses.Count == 0) throw ServerException.Invalid("missing address to join");
        var complaints = new List<string>();
        foreach (var address in addresses)
            if (await members.JoinAsync(address, call.Cancel) is { } complaint) complaints.Add(complaint);
        await call.JsonAsync(new JsonObject
        {
            ["num_joined"] = addresses.Count - complaints.Count,
            ["error"] = complaints.Count == addresses.Count ? Several(complaints) : "",
            // Nomad 2.0 takes it from anybody, and says that a later one will not.
            ["warning"] = call.Agent.Config.Acl.Enabled && call.Token.Length == 0 ? "anonymous server join is deprecated and will be removed in a future version of Nomad" : "",
        });
    }

    public static Task ForceLeaveAsync(ApiCall call)
    {
        var name = call.Query("node") ?? "";
        if (name.Length == 0) throw ServerException.Invalid("missing node to force leave");
        (call.Agent.Server ?? throw Unsupported()).Members.Table.ForceLeave(name, prune: call.Flag("prune"));
        return call.NothingAsync();
    }

    public static Task LeaveAsync(ApiCall call)
    {
        (call.Agent.Server ?? throw Unsupported()).AskToLeave();
        return call.NothingAsync();
    }

    public static Task ReloadAsync(ApiCall call)
    {
        call.Agent.Reload();
        return call.NothingAsync();
    }

    public static async Task LeaderAsync(ApiCall call)
    {
        await call.ReadAsync(_ => 0);
        await call.JsonAsync(JsonValue.Create(call.Server.LeaderAddress ?? ""));
    }

    public static Task PeersAsync(ApiCall call) =>
        call.ListAsync((call.Server.Raft.Node?.Status.Configuration.Servers ?? []).Select(s => (JsonNode)JsonValue.Create(s.Address)));

    public static Task RegionsAsync(ApiCall call) => call.ListAsync([JsonValue.Create(call.Server.Config.Region)]);

    /// <summary>Several complaints in the form in which Nomad lists them.</summary>
    public static string Several(IReadOnlyCollection<string> complaints) =>
        $"{Text(complaints.Count)} error{(complaints.Count == 1 ? "" : "s")} occurred:\n{string.Concat(complaints.Select(c => $"\t* {c}\n"))}\n";

    private static ServerException Unsupported() => new(StatusCodes.Status501NotImplemented, "Invalid method");

    private static JsonObject SerfStats(IReadOnlyList<MemberView> members) => new()
    {
        ["members"] = Text(members.Count),
        ["failed"] = Text(members.Count(m => m.Status == MemberStatus.Failed)),
        ["left"] = Text(members.Count(m => m.Status == MemberStatus.Left)),
        ["encrypted"] = "false",
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
            ["num_allocations"] = Text(client.Agent.Allocations.Count(a => !a.Terminal.IsCompleted)),
            ["last_heartbeat"] = beat is { } last ? GoDuration.Format(now - last.At) : "never",
            ["heartbeat_ttl"] = GoDuration.Format(beat?.Ttl ?? TimeSpan.Zero),
            ["engine"] = "nomadstack's embedded engine: for development, tests and rehearsals",
        };
    }

    /// <summary>A client takes no part in gossip.</summary>
    private static JsonObject NoMember() => new() { ["Name"] = "", ["Addr"] = null, ["Port"] = 0, ["Status"] = "", ["Tags"] = null, ["ProtocolMin"] = 0, ["ProtocolMax"] = 0, ["ProtocolCur"] = 0, ["DelegateMin"] = 0, ["DelegateMax"] = 0, ["DelegateCur"] = 0 };

    private static JsonObject Member(MemberView view)
    {
        var (member, (host, port)) = (view.Member, HostPort.Split(view.Member.Serf));
        var (rpcHost, rpcPort) = HostPort.Split(member.Rpc);
        var tags = new JsonObject
        {
            ["role"] = "nomad",
            ["region"] = member.Region,
            ["dc"] = member.Datacenter,
            ["id"] = member.ID,
            ["build"] = member.Build,
            ["vsn"] = "1",
            ["mvn"] = "1",
            ["raft_vsn"] = "3",
            ["rpc_addr"] = rpcHost,
            ["port"] = Text(rpcPort),
        };
        if (member.Expect == 1) tags["bootstrap"] = "1";
        if (member.Expect > 0) tags["expect"] = Text(member.Expect);
        return new JsonObject
        {
            ["Name"] = member.Name,
            ["Addr"] = host,
            ["Port"] = port,
            ["Status"] = view.Status,
            ["Tags"] = tags,
            ["ProtocolMin"] = 1,
            ["ProtocolMax"] = 5,
            ["ProtocolCur"] = 2,
            ["DelegateMin"] = 2,
            ["DelegateMax"] = 5,
            ["DelegateCur"] = 4,
        };
    }

    private static JsonObject RaftStats(RaftNode? node)
    {
        // A server that does not know yet how it begins follows nobody.
        var status = node?.Status;
        var servers = (status?.Configuration ?? RaftConfiguration.Empty).Servers;
        return new JsonObject
        {
            ["state"] = status?.Role.ToString() is { } role ? (role == "PreCandidate" ? "Candidate" : role) : "Follower",
            ["term"] = Text(status?.Term ?? 0),
            ["last_log_index"] = Text(status?.Last ?? 0),
            ["last_log_term"] = Text(status?.Term ?? 0),
            ["commit_index"] = Text(status?.Commit ?? 0),
            ["applied_index"] = Text(status?.Applied ?? 0),
            ["fsm_pending"] = "0",
            ["last_snapshot_index"] = Text(status?.Snapshot ?? 0),
            ["last_contact"] = node?.LastContact is { } contact ? (contact == TimeSpan.Zero ? "0" : $"{Text((long)contact.TotalMilliseconds)}ms") : "never",
            ["latest_configuration"] = $"[{string.Join(' ', servers.Select(s => $"{{Suffrage:{(s.Suffrage == Suffrage.Voter ? "Voter" : "Nonvoter")} ID:{s.Id} Address:{s.Address}}}"))}]",
            ["latest_configuration_index"] = "0",
            ["num_peers"] = Text(Math.Max(0, servers.Count(s => s.Suffrage == Suffrage.Voter) - 1)),
            ["protocol_version"] = "3",
            ["protocol_version_min"] = "0",
            ["protocol_version_max"] = "3",
        };
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
