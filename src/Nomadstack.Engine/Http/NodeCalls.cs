// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>
/// What only the client can answer that has an allocation, or that is the node of <c>?node_id=</c>. A server finds that client and asks it at its HTTP
/// address; another client asks a server.
/// </summary>
internal sealed class NodeCalls(AgentParts agent, ServerCalls? servers)
{
    public async Task CallAsync(Route route, ApiCall call)
    {
        if (agent.Client is not null && (call.IsForwarded || IsOurs(call)))
        {
            await route.RunAsync(call);
        }
        else if (call.IsForwarded)
        {
            throw ServerException.NotFound("No path to node");
        }
        else if (agent.Server is null)
        {
            await servers!.CallAsync(call);
        }
        else
        {
            // The client looks too where it is told to; whether it is, is its own matter.
            await call.AuthorizeAsync();
            var node = NodeOf(call, agent.Server);
            if (await PassOn.TryAsync(call, agent.Server.Http, node.HTTPAddr, last: true, node.TLSEnabled) is { } reason) throw ServerException.NotFound($"No path to node: {node.HTTPAddr}: {reason}");
        }
    }

    private bool IsOurs(ApiCall call) =>
        call.Parts.Count > 0 ? agent.Client!.Agent.Find(call.Id) is not null : call.Query("node_id") is not { Length: > 0 } node || node == agent.Client!.Agent.Node.ID;

    private static Node NodeOf(ApiCall call, NomadServer server)
    {
        var state = server.State.Current;
        string nodeId;
        if (call.Parts.Count > 0) nodeId = state.Allocation(call.Id)?.NodeID ?? throw ServerException.NotFound($"Unknown allocation \"{call.Id}\"");
        else if (call.Query("node_id") is { Length: > 0 } named) nodeId = named;
        else throw ServerException.Invalid("No local Node and node_id not provided");
        return state.Node(nodeId) is { HTTPAddr.Length: > 0 } node ? node : throw ServerException.NotFound($"Unknown node {nodeId}");
    }
}
