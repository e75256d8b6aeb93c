// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What clients ask of the leader, and servers of each other. A client proves with its secret that it is who it says.</summary>
internal static class RpcApi
{

    private const string Forbidden = "node secret ID does not match";

    /// <summary>Between servers: a client's certificate is none of a server's.</summary>
    public static Task MembersAsync(ApiCall call) => BetweenServersAsync(call, () => call.Server.Members.Answer(call.RawBody.Span));

    public static Task KeyringAsync(ApiCall call) => BetweenServersAsync(call, () => call.Server.Members.AnswerKeyring(call.RawBody.Span));

    private static async Task BetweenServersAsync(ApiCall call, Func<byte[]> answer)
    {
        if (call.Http.Connection.ClientCertificate is { } shown && !call.Agent.Tls.IsServer(shown)) throw new ServerException(StatusCodes.Status403Forbidden, AgentTls.WrongRole);
        try
        {
            await call.Http.Response.Body.WriteAsync(answer(), call.Cancel);
        }
        catch (GossipKeyException e)
        {
            call.Server.Members.Refused(call.Http.Connection.RemoteIpAddress?.ToString() ?? "", e.Message);
            throw new ServerException(StatusCodes.Status403Forbidden, $"the gossip keys are not the same; it says: {e.Message}");
        }
        catch (JsonException e)
        {
            throw ServerException.Invalid(e.Message);
        }
    }

    public static async Task RegisterAsync(ApiCall call)
    {
        var node = Read(call, StateJson.Default.Node);
        if (call.State.Node(node.ID) is { } known && known.SecretID != node.SecretID) throw new ServerException(StatusCodes.Status403Forbidden, Forbidden);
        await call.ApplyAsync(new RegisterNode(node, call.Now));
        await call.JsonAsync(Beaten(call, node.ID), RpcJson.Default.HeartbeatAnswer);
    }

    public static async Task HeartbeatAsync(ApiCall call)
    {
        var node = Authentic(call);
        if (node.Status != NodeStatus.Ready)
        {
            var evaluations = NodeEvaluations.NeededFor(node.Status, NodeStatus.Ready) ? NodeEvaluations.For(call.State, node.ID, EvalTrigger.NodeUpdate, call.Now, LeaderSession.NewId) : [];
            var said = node.IsDown ? NodeEvent.Of(NodeEvent.Cluster, "Node reregistered by heartbeat", call.Now) : null;
            await call.ApplyAsync(new UpdateNodeStatus(node.ID, NodeStatus.Ready, call.Now, said, evaluations));
        }

        await call.JsonAsync(Beaten(call, node.ID), RpcJson.Default.HeartbeatAnswer);
    }

    /// <summary>Consistent: a client stops and deletes what is not named.</summary>
    public static async Task NodeAllocationsAsync(ApiCall call)
    {
        await call.Server.BarrierAsync(call.Cancel);
        var node = Authentic(call);
        var after = After(call);
        // Other nodes' allocations wake nobody here, and the index that is told never goes back.
        var state = await call.Server.State.Store.WaitAsync(after, s => s.AllocationsOn(node.ID).Select(a => a.AllocModifyIndex).DefaultIfEmpty(0).Max(),
            BlockingQuery.Wait(null, Random.Shared.NextDouble()), call.Server.Time, call.Cancel);
        // Who lost leadership while the call waited may have missed something, and may not know it.
        await call.Server.BarrierAsync(call.Cancel);
        _ = call.Session;
        var indexes = state.AllocationsOn(node.ID).ToDictionary(a => a.ID, a => a.AllocModifyIndex, StringComparer.Ordinal);
        await call.JsonAsync(new NodeAllocations(Math.Max(1, state.Allocations.Index), indexes), RpcJson.Default.NodeAllocations);
    }

    public static async Task AllocationsAsync(ApiCall call)
    {
        await call.Server.BarrierAsync(call.Cancel);
        var ids = Read(call, RpcJson.Default.AllocationsAsked).IDs;
        var secret = Secret(call);
        var state = call.State;
        var found = ids.Select(state.Allocation).OfType<Allocation>().Where(a => state.Node(a.NodeID) is { } node && node.SecretID == secret);
        await call.JsonAsync(new AllocationsFound(Math.Max(1, state.Allocations.Index), [.. found]), RpcJson.Default.AllocationsFound);
    }

    public static async Task UpdateAsync(ApiCall call)
    {
        var node = Authentic(call);
        var state = call.State;
        var updates = Read(call, StateJson.Default.IReadOnlyListClientUpdate).Where(u => state.Allocation(u.ID)?.NodeID == node.ID).ToList();
        if (updates.Count > 0) await call.ApplyAsync(new UpdateAllocations(updates, call.Now, NodeEvaluations.ForReports(state, updates, call.Now, LeaderSession.NewId)));
        await call.NothingAsync();
    }

    /// <summary>Only for a node of this cluster: nobody else has tokens to try here.</summary>
    public static async Task ResolveTokenAsync(ApiCall call)
    {
        await call.Server.BarrierAsync(call.Cancel);
        var secret = Secret(call);
        if (secret.Length == 0 || call.State.Nodes.All.All(n => n.SecretID != secret)) throw new ServerException(StatusCodes.Status403Forbidden, Forbidden);
        await AclTokensApi.ResolveAsync(call, Read(call, RpcJson.Default.TokenAsked).Secret);
    }

    private static HeartbeatAnswer Beaten(ApiCall call, string nodeId) =>
        new(call.Session.Beat(nodeId).Ticks, [.. call.Server.Members.All.Where(m => m.Status == MemberStatus.Alive).Select(m => m.Member.Rpc)]);

    private static Node Authentic(ApiCall call)
    {
        var node = call.State.Node(call.Id) ?? throw ServerException.NotFound("node not found");
        return node.SecretID == Secret(call) ? node : throw new ServerException(StatusCodes.Status403Forbidden, Forbidden);
    }

    private static string Secret(ApiCall call) => call.Http.Request.Headers[RpcNames.SecretHeader].ToString();

    private static long After(ApiCall call) => long.TryParse(call.Query("after"), NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? after : 0;

    private static T Read<T>(ApiCall call, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(call.RawBody.Span, type) ?? throw ServerException.Invalid("the body is empty");
        }
        catch (JsonException e)
        {
            throw ServerException.Invalid(e.Message);
        }
    }
}
