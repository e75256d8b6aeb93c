// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// <c>cluster.json</c>: the membership. Once peers have exchanged it, it is the same on every node. Facts only, no decisions.
/// Every node writes only its own entry. Of two versions of an entry, the higher incarnation wins.
/// </summary>
[JsonConverter(typeof(ClusterDocumentJson))]
internal sealed record ClusterDocument : IHasSchema
{
    public const int CurrentSchema = 1;

    /// <summary>The value for a document without this field, as the oldest ones are.</summary>
    public const string DefaultEngine = "nomad";

    public int Schema { get; init; } = CurrentSchema;

    /// <summary>A UUID made once, at bootstrap. Peers of another cluster id are refused.</summary>
    public required string ClusterId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>SHA-256 of the CA's public key (SPKI), lower-case hex: what join tokens pin.</summary>
    public required string CaPin { get; init; }

    /// <summary>First value of the setting <see cref="SettingNames.MaxServers"/>, chosen at bootstrap. Release 0.1.0 reads it.</summary>
    public int FirstMaxServers { get; set; } = 3;

    /// <summary>Whether the stack has all products of release 0.1.0 or only the scheduler: first value of the setting <see cref="SettingNames.Products"/>. Release 0.1.0 reads it.</summary>
    public bool FirstWhole { get; set; } = true;

    /// <summary>First value of the setting <see cref="SettingNames.Engine"/>, chosen at bootstrap. Release 0.1.0 reads it.</summary>
    public string FirstEngine { get; set; } = DefaultEngine;

    /// <summary>The written settings, by name. Read them through <see cref="Settings"/>.</summary>
    public IReadOnlyDictionary<string, Setting> Registers { get; set; } = new Dictionary<string, Setting>();

    /// <summary>Fields of newer releases, by name, in canonical JSON: kept and passed on.</summary>
    public IReadOnlyDictionary<string, string> Unknown { get; set; } = new Dictionary<string, string>();

    /// <summary>Entries that were refused when this document was read; never written.</summary>
    public IReadOnlyList<RefusedEntry> Refused { get; set; } = [];

    /// <summary>What is wrong with the document itself; such a document cannot be used. Never written.</summary>
    public string? Complaint { get; set; }

    public ClusterSettings Settings => new(this);

    /// <summary>Most servers of each product this cluster may have: 1, 3 or 5.</summary>
    public int MaxServers => Settings.MaxServers;

    /// <summary>The products of the stack, by name.</summary>
    public IReadOnlyList<string> Products => Settings.Products;

    /// <summary>What provides Nomad, <see cref="Programs.EngineKind"/>: engines cannot read each other's raft data or talk raft to each other.</summary>
    public string Engine => Settings.Engine;

    /// <summary>By node id.</summary>
    public IReadOnlyDictionary<string, NodeEntry> Nodes { get; set; } = new Dictionary<string, NodeEntry>();

    /// <summary>By token id.</summary>
    public IReadOnlyDictionary<string, TokenEntry> Tokens { get; set; } = new Dictionary<string, TokenEntry>();
}

/// <summary>What one node says about itself.</summary>
internal sealed record NodeEntry
{
    public required string Id { get; init; }
    public required string Name { get; init; }
    public required string Address { get; init; }
    public PortPlan Ports { get; set; } = new();

    /// <summary>Raised by the node at every change of its entry, and by a node that removes it, so that the removal wins.</summary>
    public long Incarnation { get; set; } = 1;

    /// <summary>SHA-256 of the node's public key (SPKI), lower-case hex: two machines with the same node id have different ones. Empty = not known.</summary>
    public string KeyPin { get; set; } = "";

    /// <summary>nomadstack's version on that node.</summary>
    public string Version { get; set; } = "";

    /// <summary>Servers recorded on that node, whether or not they run now.</summary>
    public IReadOnlyList<ServerEntry> Servers { get; set; } = [];

    /// <summary>True once an operator removed the node; its certificate is refused from then on.</summary>
    public bool Removed { get; set; }

    /// <summary>When that was; null from an agent that does not tell. A removal is remembered for <see cref="Pruning.RemovedKept"/> after it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? RemovedAt { get; set; }

    /// <summary>Id of the token it was let in by; null where nobody wrote that down.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? JoinedWith { get; set; }

    /// <summary>
    /// When a member let it in, until the node itself has said something over its peer port: until then nobody knows whether the answer ever arrived, and the entry is provisional
    /// (<see cref="Provisional"/>). Null for a node that has come.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? AdmittedAt { get; set; }

    /// <summary><see cref="NodeKind"/> its key was certified for; null where its agent does not sign, as those of release 0.1.0 do not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Kind { get; set; }

    /// <summary>
    /// By product: what this node's agents of it have read, as <c>ClusterTrust.Digest</c> names it. A rotation goes on when all nodes that can be reached have read what it waits for.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Trust { get; set; }

    /// <summary>Whether its agent seems to be of release 0.1.0: its own entry is not signed.</summary>
    [JsonIgnore]
    public bool IsReleased => !Removed && (Signed is null || Kind is null);

    [JsonIgnore]
    public bool IsServer => Kind is null or NodeKind.Server;

    /// <summary>Signed by the node itself, or by a server node that admitted or removed it. Null from an agent of release 0.1.0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EntrySignature? Signed { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A server recorded on a node, with the ports for its peers and clients.</summary>
/// <param name="Role">The name of its product.</param>
/// <param name="RaftId">The server's node-id file, its id in the raft configuration.</param>
/// <param name="ManagedBy"><c>job</c> or <c>bootstrap</c>.</param>
/// <param name="State"><c>running</c>, or <c>lingering</c> once no allocation claims it.</param>
/// <param name="Keys">Ids of the keys on the server's disk that are not in raft, sorted, separated by commas. Empty for none, and from an agent that does not report them.</param>
internal sealed record ServerEntry(string Role, string RaftId, string ManagedBy, string State, int Http, int Rpc, int Serf, string Keys = "")
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A join token as every node knows it, with only the hash of its secret.</summary>
internal sealed record TokenEntry
{
    public required string Id { get; init; }

    /// <summary>SHA-256 of the secret, lower-case hex. The secret is random and 128 bits long, so a plain hash is enough.</summary>
    public required string SecretHash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; set; }
    public bool Revoked { get; set; }
    public long Incarnation { get; set; } = 1;

    /// <summary>How many nodes it lets in; null for any number.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Uses { get; set; }

    /// <summary>The <see cref="NodeKind"/> that it lets nodes in as; null for server nodes. Signed with the rest, so nobody between changes it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Kind { get; set; }

    /// <summary>By a server node. Null from an agent of release 0.1.0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EntrySignature? Signed { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>An entry that was refused.</summary>
/// <param name="Key"><c>n:</c>, <c>t:</c> or <c>s:</c> and the id.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Why">Which field, and what is wrong with it.</param>
internal sealed record RefusedEntry(string Key, string Name, string Why)
{
    /// <summary>The entry as it came.</summary>
    public JsonElement? Entry { get; init; }
}
