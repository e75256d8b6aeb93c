// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary><c>GET /v1/ping</c>, for anyone: who answers here. The CA's certificate is not secret; a joining node compares it with its token's hash.</summary>
internal sealed record PingAnswer(string Service, string ClusterId, string Name, string Version, DateTimeOffset Clock, string Ca)
{
    /// <summary>The value of <see cref="Service"/>. With any other value, the program on this port is not an agent.</summary>
    public const string Nomadstack = "nomadstack";

    /// <summary>As much as was asked for, so that the answer fills a packet.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Padding { get; init; }
}

/// <summary><c>GET /v1/peer</c>, for members: the node, and which start of its agent.</summary>
/// <param name="Instance">New at each start of an agent: two different answers for one node id mean two agents.</param>
internal sealed record PeerAnswer(string NodeId, string Name, string ClusterId, string Version, string Instance, DateTimeOffset Clock);

/// <summary><c>POST /v1/join</c>, sent only to an agent whose CA has the token's hash.</summary>
/// <param name="PublicKey">SubjectPublicKeyInfo.</param>
/// <param name="Node">As JSON, so that it is checked before it is read.</param>
/// <param name="Signs">Whether the node signs its entry. Agents of release 0.1.0 do not.</param>
internal sealed record JoinRequest(string TokenId, string Secret, byte[] PublicKey, JsonElement Node, DateTimeOffset Clock, bool Signs = false);

/// <param name="CaKey">The CA's key, for a server node; null for a client node.</param>
/// <param name="Document">This node's entry and at most <see cref="SyncLimits.Entries"/> more; the rest comes by anti-entropy.</param>
/// <param name="Kind"><see cref="NodeKind"/> for which the node's key is certified; empty from an agent of release 0.1.0.</param>
/// <param name="Proof">The CA's signature over that.</param>
internal sealed record JoinAnswer(string Certificate, string Ca, string? CaKey, ClusterDocument Document, string Kind = "", byte[]? Proof = null);

/// <summary><c>POST /v1/sync</c>: one step of an exchange (<see cref="AntiEntropy"/>).</summary>
internal sealed record SyncRequest(string Digest)
{
    /// <summary>Digest of everything, settings and signatures included. A peer that answers with <see cref="SyncAnswer.Full"/> has read it. From then on, buckets and versions are those of the full digests.</summary>
    public string? Full { get; init; }

    /// <summary>Digest of the secrets store of a server node.</summary>
    public string? Secrets { get; init; }

    /// <summary>The sender's time.</summary>
    public DateTimeOffset? Clock { get; init; }

    /// <summary>The sender's disk, as its peers may show it; null from one that does not tell.</summary>
    public DiskSpace? Disk { get; init; }

    /// <summary>Entries that the peer asked for.</summary>
    public ClusterDocument? Push { get; init; }

    /// <summary>Buckets to compare entry by entry.</summary>
    public IReadOnlyList<int>? Buckets { get; init; }

    /// <summary>Versions of the sender's entries in <see cref="Buckets"/>, by key.</summary>
    public IReadOnlyDictionary<string, string>? Versions { get; init; }
}

/// <param name="Same">Both have the same document; nothing else is sent then.</param>
internal sealed record SyncAnswer(bool Same)
{
    /// <summary>Whether the answer uses full digests. An agent of release 0.1.0 never sets this.</summary>
    public bool Full { get; init; }

    /// <summary>Digest of the secrets store, for a server node.</summary>
    public string? Secrets { get; init; }

    /// <inheritdoc cref="SyncRequest.Clock"/>
    public DateTimeOffset? Clock { get; init; }

    /// <inheritdoc cref="SyncRequest.Disk"/>
    public DiskSpace? Disk { get; init; }

    /// <summary>Digest of each bucket, when no buckets were asked for.</summary>
    public IReadOnlyList<string>? Buckets { get; init; }

    /// <summary>Entries that are newer at the answering node.</summary>
    public ClusterDocument? Newer { get; init; }

    /// <summary>Keys of the entries that are newer at the asking node.</summary>
    public IReadOnlyList<string>? Want { get; init; }
}

/// <summary>A refusal as it is sent.</summary>
internal sealed record ProblemMessage(string Code, string What, string Why, string Fix, bool Unsafe)
{
    public static ProblemMessage Of(Problem problem) => new(problem.Code, problem.What, problem.Why, problem.Fix, problem.Unsafe);

    public Problem ToProblem() => new(Code, What, Why, Fix) { Unsafe = Unsafe };
}

/// <summary>Limits of a message, so that it does not grow with the cluster.</summary>
internal static class SyncLimits
{
    public const int Entries = 256;
    public const int Versions = 1024;

    /// <summary>Most bytes of entries in one message. In letters, as in <see cref="Carriers"/>, and with one more entry, they still fit into a body.</summary>
    public const int PartBytes = 2 * 1024 * 1024;

    public const int BodyBytes = 4 * 1024 * 1024;

    /// <summary>Most bytes of a request with keys and certificates alone.</summary>
    public const int SmallBytes = 64 * 1024;
}
