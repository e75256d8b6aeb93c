// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Peers;

/// <summary><c>GET /v1/survey</c>: what raft data a server node has, read from its disk whether or not its servers run.</summary>
/// <param name="Servers">The servers recorded there.</param>
internal sealed record NodeSurvey(string NodeId, string Node, IReadOnlyList<ServerSurvey> Servers)
{
    /// <summary>Its agent answers and is of a release that tells no raft data: what its servers have is unknown, and they may well run. Never sent.</summary>
    [JsonIgnore]
    public bool IsTooOld { get; init; }
}

/// <summary>The raft data of one server.</summary>
/// <param name="RaftId">The server's id in the raft configuration.</param>
/// <param name="Address">IP and raft port where it is now.</param>
/// <param name="State"><c>present|blank|unreadable</c>.</param>
/// <param name="Why">Why it cannot be read.</param>
/// <param name="Epoch">How often the product's majority had been given up when this data began.</param>
/// <param name="Leader">IP and raft port of the leader, if it answered the running server just now; null otherwise.</param>
internal sealed record ServerSurvey(
    string Product, string RaftId, string Address, string State, string? Why, int Epoch, bool Running, string? Leader,
    long Term, long LastTerm, long LastIndex, long PeersIndex, IReadOnlyList<SurveyPeer> Peers)
{
    public const string Present = "present", Blank = "blank", Unreadable = "unreadable";
}

/// <summary>A server in the newest raft configuration on that disk.</summary>
internal sealed record SurveyPeer(string Id, string Address, bool Voter);

/// <summary>Answers surveys of this node.</summary>
internal interface ISurveyDesk
{
    Task<NodeSurvey> SurveyAsync(CancellationToken cancel);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(NodeSurvey))]
internal sealed partial class SurveyJson : JsonSerializerContext;
