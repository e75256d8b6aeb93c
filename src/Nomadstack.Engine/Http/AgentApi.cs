// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What an agent says of itself and of the others, leader or not.</summary>
internal static class AgentApi
{
    public static Task SelfAsync(ApiCall call)
    {
        var (server, config) = (call.Server, call.Server.Config);
        var members = server.Members.All;
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
                ["Server"] = new JsonObject { ["Enabled"] = true, ["BootstrapExpect"] = config.Server!.BootstrapExpect, ["RaftProtocol"] = 3 },
                ["Client"] = new JsonObject { ["Enabled"] = config.Client is not null },
                ["Version"] = new JsonObject { ["Version"] = EngineVersion.Number, ["VersionPrerelease"] = EngineVersion.Suffix, ["VersionMetadata"] = "", ["Revision"] = "" },
            },
            ["member"] = Member(members.First(m => m.Member.ID == server.Raft.Id)),
            ["stats"] = new JsonObject
            {
                ["nomad"] = new JsonObject
                {
                    ["server"] = "true",
                    ["leader"] = server.Session is not null ? "true" : "false",
                    ["leader_addr"] = server.LeaderAddress ?? "",
                    ["bootstrap"] = config.Server.BootstrapExpect == 1 ? "true" : "false",
                    ["known_regions"] = "1",
                    ["engine"] = "nomadstack's embedded engine: for development, tests and rehearsals",
                },
                ["raft"] = RaftStats(server.Raft.Node),
                ["serf"] = new JsonObject
                {
                    ["members"] = Text(members.Count),
                    ["failed"] = Text(members.Count(m => m.Status == MemberStatus.Failed)),
                    ["left"] = Text(members.Count(m => m.Status == MemberStatus.Left)),
                    ["encrypted"] = "false",
                },
                ["runtime"] = new JsonObject
                {
                    ["kernel.name"] = "linux",
                    ["arch"] = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
                    ["version"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
                    ["cpu_count"] = Text(Environment.ProcessorCount),
                },
            },
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
        var (ok, message) = (true, "ok");
        using var late = new CancellationTokenSource(NomadServer.LeaderHold, call.Server.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, call.Cancel);
        try
        {
            await call.Server.LeaderAsync(either.Token);
        }
        catch (NotLeaderException e)
        {
            (ok, message) = (false, e.Message);
        }

        await call.JsonAsync(new JsonObject { ["server"] = new JsonObject { ["ok"] = ok, ["message"] = message } }, ok ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError);
    }

    /// <summary>A client's list; a server has none.</summary>
    public static Task ServersAsync(ApiCall call) => throw new ServerException(StatusCodes.Status501NotImplemented, "Invalid method");

    public static async Task JoinAsync(ApiCall call)
    {
        var addresses = call.Http.Request.Query["address"].OfType<string>().Where(a => a.Length > 0).ToList();
        if (addresses.Count == 0) throw ServerException.Invalid("missing address to join");
        var complaints = new List<string>();
        foreach (var address in addresses)
            if (await call.Server.Members.JoinAsync(address, call.Cancel) is { } complaint) complaints.Add(complaint);
        await call.JsonAsync(new JsonObject
        {
            ["num_joined"] = addresses.Count - complaints.Count,
            ["error"] = complaints.Count == addresses.Count ? Several(complaints) : "",
        });
    }

    public static Task ForceLeaveAsync(ApiCall call)
    {
        var name = call.Query("node") ?? "";
        if (name.Length == 0) throw ServerException.Invalid("missing node to force leave");
        call.Server.Members.Table.ForceLeave(name);
        return call.NothingAsync();
    }

    public static Task LeaveAsync(ApiCall call)
    {
        call.Server.AskToLeave();
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
