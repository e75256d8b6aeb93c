// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Api;

/// <summary>What <c>nomadstack status --json</c> prints. Other tools rely on these names: fields may be added, never renamed.</summary>
internal sealed record StatusDocument(
    int Schema,
    NodeStatus Node,
    ClusterStatus Cluster,
    IReadOnlyDictionary<string, EngineVersion> Engine,
    IReadOnlyList<ServerStatus> Servers,
    IReadOnlyList<MemberStatus> Nodes,
    IReadOnlyList<Operation> Operations)
{
    /// <summary>How many servers of each role may still fail. Computed from <see cref="Servers"/>, so that every reader has the same rule.</summary>
    public IReadOnlyList<FailureTolerance> Tolerates => FailureTolerance.Of(Servers);
}

internal sealed record NodeStatus(string Name, string Id, string Address, string Version);

/// <param name="State"><c>none|bootstrapping|healthy|degraded|no-quorum|recovering</c>.</param>
/// <param name="Reason">Empty when healthy. Otherwise one sentence: what is missing, and since when.</param>
internal sealed record ClusterStatus(string Id, string State, string Reason, int DesiredServers)
{
    /// <summary><c>secure</c>: closed to strangers by TLS, access control and encrypted gossip; <c>plain</c>: open to everybody who reaches its ports.</summary>
    public string Security { get; init; } = "plain";

    /// <summary>When the cluster's state was saved last, as far as this node has the snapshots; null on a client node and before there is a cluster.</summary>
    public SnapshotsStatus? Snapshots { get; init; }

    /// <summary>This node's certificates and the authorities behind them; empty before there is a cluster.</summary>
    public IReadOnlyList<CertificateStatus> Certificates { get; init; } = [];

    /// <summary>The cluster's state and, if it is not healthy, the reason; one line for people.</summary>
    public string InWords() => Reason.Length > 0 ? $"{State}: {Reason}" : State;
}

/// <summary>What provides a product; the key is the product's name.</summary>
/// <param name="Kind">The product's name, <c>embedded</c> or <c>none</c>.</param>
internal sealed record EngineVersion(string Kind, string Version)
{
    public const string None = "none", Embedded = "embedded";

    /// <summary>The file that runs; empty where none does.</summary>
    public string Program { get; init; } = "";

    /// <summary>Why it is this one, or why there is none: a few words to print after the name.</summary>
    public string Why { get; init; } = "";

    /// <summary>Another program, found where this node would look today, that it does not use; null for none.</summary>
    public OfferedProgram? Offered { get; init; }
}

/// <summary>A program that <c>nomadstack program use</c> would take.</summary>
internal sealed record OfferedProgram(string Version, string Program);

/// <param name="ManagedBy"><c>job|bootstrap</c>.</param>
/// <param name="State"><c>running|lingering|stopped|unreachable</c>.</param>
internal sealed record ServerStatus(string Role, string Node, string Address, string ManagedBy, string State, bool Voter, bool Leader, bool Healthy, int? Pid);

/// <param name="Agent"><c>reachable|unreachable</c>, or <c>joining</c> for a node that was let in and has not come yet.</param>
internal sealed record MemberStatus(string Name, string Address, string Agent, bool Eligible)
{
    public const string JoiningAgent = "joining", ClientKind = "client";

    /// <summary>The state of a client of a product that the cluster does not have.</summary>
    public const string NoClient = "none";

    /// <summary><c>server</c> or <c>client</c>: whether it may have servers, keys and secrets of the cluster.</summary>
    public string Kind { get; set; } = "server";

    /// <summary>The disk of its data folder; null where it does not tell.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DiskStatus? Disk { get; set; }

    /// <summary>The state of each client in its product's own word; the key is the product's name: <c>"nomad":"ready"</c>.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Clients { get; set; } = [];

    /// <summary>The state of the client of a product.</summary>
    public string Client(string product) => Clients.TryGetValue(product, out var state) && state.ValueKind == JsonValueKind.String ? state.GetString()! : NoClient;
}

/// <param name="Mount">Where its file system is mounted.</param>
/// <param name="UsedPercent">As <c>df</c> counts.</param>
/// <param name="State"><c>roomy|low|short</c>.</param>
internal sealed record DiskStatus(string Mount, int UsedPercent, long FreeBytes, string State);
