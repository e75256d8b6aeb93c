// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Engine.Server;

/// <summary>One server as it describes itself.</summary>
internal sealed record ServerMember
{
    /// <summary>With the region: <c>n1.global</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Its raft id.</summary>
    public required string ID { get; init; }

    public string Region { get; init; } = "";
    public string Datacenter { get; init; } = "";
    public string Build { get; init; } = "";

    /// <summary>Each <c>host:port</c>.</summary>
    public required string Rpc { get; init; }

    public required string Serf { get; init; }

    /// <summary>With how many others it would begin a cluster.</summary>
    public int Expect { get; init; }

    /// <summary>It belongs to a raft already, so that nobody may begin another one beside it.</summary>
    public bool InRaft { get; init; }

    public bool Leaving { get; init; }
    public bool Left { get; init; }

    /// <summary>Only the member itself raises it. The higher one is the newer word on it.</summary>
    public long Incarnation { get; init; }
}

internal static class MemberStatus
{
    public const string Alive = "alive";
    public const string Leaving = "leaving";
    public const string Left = "left";
    public const string Failed = "failed";
}

/// <param name="Raft">As it said when it last spoke to us; null when it never did.</param>
internal sealed record MemberView(ServerMember Member, string Status, RaftReport? Raft);

/// <summary>How far a server is.</summary>
/// <param name="LastContact">With its leader; null when it has none.</param>
internal sealed record RaftReport(long Term, long LastIndex, TimeSpan? LastContact, string? Leader);

/// <summary>What two servers tell each other.</summary>
internal sealed record MemberExchange(ServerMember From, RaftReport? Raft, IReadOnlyList<ServerMember> Members);

[JsonSerializable(typeof(MemberExchange))]
[JsonSerializable(typeof(KeyringAsked))]
[JsonSerializable(typeof(KeyringSaid))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class MemberJson : JsonSerializerContext;
