// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Nomadstack.Products;

namespace Nomadstack.HashiCorp;

/// <summary>The raft configuration in a server's API. Both products use the same words.</summary>
internal sealed record RaftConfiguration
{
    public IReadOnlyList<RaftServer> Servers { get; init => field = value ?? []; } = [];

    [JsonIgnore]
    public IEnumerable<RaftServer> Voters => Servers.Where(s => s.Voter);

    [JsonIgnore]
    public RaftServer? Leader => Servers.FirstOrDefault(s => s.Leader);
}

/// <param name="ID">The raft id: the server's node-id file.</param>
/// <param name="Node">Its name in gossip, or <c>(unknown)</c>.</param>
/// <param name="Address">IP and RPC port.</param>
internal sealed record RaftServer(string ID, string Node, string Address, bool Leader, bool Voter);

/// <summary>What one agent says about itself; answered without any leader.</summary>
/// <param name="ServerId">The raft id a server carries in gossip; null on a client.</param>
/// <param name="MemberName">Its name in gossip; for a Nomad server with the region, <c>n1.global</c>.</param>
/// <param name="ClientNodeId">The Nomad client's node id; null elsewhere.</param>
internal sealed record AgentSelf(string Version, bool Server, string? ServerId, string MemberName, string MemberStatus, RaftStats? Raft, string? ClientNodeId, IReadOnlyList<string> KnownServers);

/// <summary>One server's own raft counters.</summary>
/// <param name="State"><c>Leader|Follower|Candidate|Shutdown</c>.</param>
/// <param name="Peers">The configuration that this server has, committed or not.</param>
internal sealed record RaftStats(string State, long Term, long LastLogIndex, long CommitIndex, long AppliedIndex, long LastSnapshotIndex, int ProtocolVersion, IReadOnlyList<RaftPeer> Peers)
{
    public bool IsLeader => State == "Leader";

    /// <summary>From the text map that both products print; null if it is empty, as on a client.</summary>
    public static RaftStats? From(IReadOnlyDictionary<string, string>? stats)
    {
        if (stats is null || !stats.TryGetValue("state", out var state)) return null;
        return new(state, Number("term"), Number("last_log_index"), Number("commit_index"), Number("applied_index"), Number("last_snapshot_index"),
            (int)Number("protocol_version"), PeersIn(stats.GetValueOrDefault("latest_configuration")));

        long Number(string key) => long.TryParse(stats.GetValueOrDefault(key), out var n) ? n : 0;
    }

    /// <summary>Reads <c>[{Suffrage:Voter ID:x Address:y} …]</c>, the only form in which a server without a leader shows its configuration and its suffrage.</summary>
    private static List<RaftPeer> PeersIn(string? text)
    {
        List<RaftPeer> peers = [];
        foreach (var part in (text ?? "").Trim('[', ']').Split('}', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var fields = part.TrimStart('{').Split(' ').Select(f => f.Split(':', 2)).Where(f => f.Length == 2).ToDictionary(f => f[0], f => f[1]);
            if (fields.TryGetValue("ID", out var id) && fields.TryGetValue("Address", out var address))
                peers.Add(new(id, address, fields.GetValueOrDefault("Suffrage") == "Voter"));
        }

        return peers;
    }
}

/// <summary>The leader's view of each server.</summary>
internal sealed record AutopilotHealth
{
    public bool Healthy { get; init; }
    public int FailureTolerance { get; init; }
    public IReadOnlyList<ServerHealth> Servers { get; init => field = value ?? []; } = [];
}

/// <param name="SerfStatus"><c>alive|leaving|left|failed</c>.</param>
/// <param name="StableSince">When <see cref="Healthy"/> last changed.</param>
internal sealed record ServerHealth(string ID, string Name, string Address, string SerfStatus, string Version, bool Leader, long LastIndex, bool Healthy, bool Voter, DateTimeOffset StableSince);

/// <summary>Autopilot's settings in raft. Keeps the whole JSON, so that unknown fields are written back unchanged.</summary>
internal sealed record AutopilotConfiguration(JsonObject Raw)
{
    public bool CleanupDeadServers => (bool?)Raw[nameof(CleanupDeadServers)] ?? false;
    public int MinQuorum => (int?)Raw[nameof(MinQuorum)] ?? 0;
    public TimeSpan? ServerStabilizationTime => GoDuration.Parse((string?)Raw[nameof(ServerStabilizationTime)]);
    public TimeSpan? LastContactThreshold => GoDuration.Parse((string?)Raw[nameof(LastContactThreshold)]);
    public long ModifyIndex => (long?)Raw[nameof(ModifyIndex)] ?? 0;

    /// <summary>A changed copy; null arguments change nothing.</summary>
    public AutopilotConfiguration With(bool? cleanupDeadServers = null, int? minQuorum = null, TimeSpan? serverStabilizationTime = null)
    {
        var raw = (JsonObject)Raw.DeepClone();
        if (cleanupDeadServers is { } cleanup) raw[nameof(CleanupDeadServers)] = cleanup;
        if (minQuorum is { } quorum) raw[nameof(MinQuorum)] = quorum;
        if (serverStabilizationTime is { } stable) raw[nameof(ServerStabilizationTime)] = GoDuration.Format(stable);
        return new(raw);
    }
}

/// <summary>One server or client in gossip.</summary>
/// <param name="Name">For a Nomad server with the region: <c>n1.global</c>.</param>
/// <param name="Status"><c>alive|leaving|left|failed|none</c>.</param>
/// <param name="Id">The raft id in its tags; null when it has none.</param>
/// <param name="RpcAddress">IP and server RPC port; null for a client.</param>
internal sealed record GossipMember(string Name, string Address, int Port, string Status, string? Id, string? RpcAddress, bool Server, IReadOnlyDictionary<string, string> Tags)
{
    public const string Failed = "failed", Left = "left";
}

/// <summary>The gossip keys of one pool of agents, as both products answer.</summary>
internal sealed record KeyringReply(Dictionary<string, int>? Keys, int NumNodes)
{
    public GossipKeysSeen ToSeen() => new(NumNodes, Keys ?? []);
}

/// <summary>The answer to the request for the first management token.</summary>
/// <param name="Secret">The token; null if it was refused.</param>
/// <param name="ResetIndex">What to write into the leader's <c>acl-bootstrap-reset</c> for another first token; null unless there was one before.</param>
internal sealed record AclBootstrap(Answer<Done> Answer, string? Secret, string? ResetIndex);
