// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Rpc;

/// <summary>The paths and headers that agents use among themselves.</summary>
internal static class RpcNames
{
    public const string Ping = "/rpc/ping";
    public const string Members = "/rpc/members";
    public const string Keyring = "/rpc/keyring";
    public const string Register = "/rpc/node/register";
    public const string Allocations = "/rpc/allocations";
    public const string ResolveToken = "/rpc/acl/resolve";

    /// <summary>The secret with which a client proves that it is the node it says it is.</summary>
    public const string SecretHeader = "X-Nomad-Node-Secret";

    /// <summary>The call was passed on by another agent. Whoever gets it asks nobody in turn: two agents that take each other for the right one would go on for ever.</summary>
    public const string ForwardedHeader = "X-Nomadstack-Forwarded";

    /// <summary>The server that answers does not lead, and has done nothing.</summary>
    public const string NotLeaderHeader = "X-Nomadstack-Not-Leader";
}

/// <summary>The answer to a registration and to a heartbeat.</summary>
/// <param name="TTL">In how many ticks the next heartbeat is due.</param>
/// <param name="Servers">Where the servers are now, as <c>host:port</c>.</param>
internal sealed record HeartbeatAnswer(long TTL, IReadOnlyList<string> Servers);

/// <param name="ModifyIndexes">By id: the AllocModifyIndex, which moves when a server changes an allocation.</param>
internal sealed record NodeAllocations(long Index, IReadOnlyDictionary<string, long> ModifyIndexes);

internal sealed record AllocationsAsked(IReadOnlyList<string> IDs);

internal sealed record AllocationsFound(long Index, IReadOnlyList<Allocation> Found);

/// <param name="Secret">Empty for whoever shows none.</param>
internal sealed record TokenAsked(string Secret);

/// <param name="Token">Without its secret.</param>
internal sealed record TokenResolved(AclToken Token, IReadOnlyList<AclPolicy> Policies);

[JsonSerializable(typeof(TokenAsked))]
[JsonSerializable(typeof(TokenResolved))]
[JsonSerializable(typeof(HeartbeatAnswer))]
[JsonSerializable(typeof(NodeAllocations))]
[JsonSerializable(typeof(AllocationsAsked))]
[JsonSerializable(typeof(AllocationsFound))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, Converters = [typeof(NanosecondsConverter), typeof(GoTimeConverter)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class RpcJson : JsonSerializerContext;
