// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What an agent says of itself and of the others, leader or not.</summary>
internal static class AgentApi
{
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

    public static JsonObject Member(MemberView view)
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

    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
