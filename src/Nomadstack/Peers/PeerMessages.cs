// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary><c>GET /v1/ping</c>, for anyone: who is there. The CA's certificate is no secret; a joining node holds it against its token's hash.</summary>
internal sealed record PingAnswer(string Service, string ClusterId, string Name, string Version, DateTimeOffset Clock, string Ca)
{
    /// <summary>What <see cref="Service"/> says; anything else answered on this port by accident.</summary>
    public const string Nomadstack = "nomadstack";
}

/// <summary><c>GET /v1/peer</c>, for members: which node and which start of its agent.</summary>
/// <param name="Instance">Minted at each start of an agent: two answers for one node id mean two agents.</param>
internal sealed record PeerAnswer(string NodeId, string Name, string ClusterId, string Version, string Instance, DateTimeOffset Clock);

/// <summary><c>POST /v1/join</c>, sent only to a server whose CA has the token's hash.</summary>
/// <param name="PublicKey">SubjectPublicKeyInfo.</param>
/// <param name="Node">As JSON, so that it is judged before it is read.</param>
/// <param name="Signs">Whether the node signs its entry; agents of release 0.1.0 do not.</param>
internal sealed record JoinRequest(string TokenId, string Secret, byte[] PublicKey, JsonElement Node, DateTimeOffset Clock, bool Signs = false);

/// <param name="Document">This node's entry and at most <see cref="SyncLimits.Entries"/> more; the rest comes by anti-entropy.</param>
/// <param name="Kind"><see cref="NodeKind"/> the node's key was certified for; empty from an agent of release 0.1.0.</param>
/// <param name="Proof">The CA's signature over that.</param>
internal sealed record JoinAnswer(string Certificate, string Ca, string CaKey, ClusterDocument Document, string Kind = "", byte[]? Proof = null);

/// <summary><c>POST /v1/sync</c>: one step of an exchange (<see cref="AntiEntropy"/>).</summary>
internal sealed record SyncRequest(string Digest)
{
    /// <summary>Digest of all there is, settings and signatures included. Whoever answers with <see cref="SyncAnswer.Full"/> has read it, and from then on buckets and versions are those of the full digests.</summary>
    public string? Full { get; init; }

    /// <summary>Digest of the secrets store of a server node.</summary>
    public string? Secrets { get; init; }

    /// <summary>Entries the peer asked for.</summary>
    public ClusterDocument? Push { get; init; }

    /// <summary>Buckets to compare entry by entry.</summary>
    public IReadOnlyList<int>? Buckets { get; init; }

    /// <summary>Versions of the sender's entries in <see cref="Buckets"/>, by key.</summary>
    public IReadOnlyDictionary<string, string>? Versions { get; init; }
}

/// <param name="Same">Both hold the same document; nothing else is said then.</param>
internal sealed record SyncAnswer(bool Same)
{
    /// <summary>Whether the answer is about full digests; an agent of release 0.1.0 cannot say so.</summary>
    public bool Full { get; init; }

    /// <summary>Digest of the secrets store, for a server node.</summary>
    public string? Secrets { get; init; }

    /// <summary>Digest of each bucket, when no buckets were asked for.</summary>
    public IReadOnlyList<string>? Buckets { get; init; }

    /// <summary>Entries that are newer here.</summary>
    public ClusterDocument? Newer { get; init; }

    /// <summary>Keys of the entries that are newer there.</summary>
    public IReadOnlyList<string>? Want { get; init; }
}

/// <summary>A refusal as it travels.</summary>
internal sealed record ProblemMessage(string Code, string What, string Why, string Fix, bool Unsafe)
{
    public static ProblemMessage Of(Problem problem) => new(problem.Code, problem.What, problem.Why, problem.Fix, problem.Unsafe);

    public Problem ToProblem() => new(Code, What, Why, Fix) { Unsafe = Unsafe };
}

/// <summary>No message grows with the cluster beyond these.</summary>
internal static class SyncLimits
{
    public const int Entries = 256;
    public const int Versions = 1024;

    /// <summary>Of entries in one message. In letters, as <see cref="Carriers"/> hold them, and with one more entry they still fit a body.</summary>
    public const int PartBytes = 2 * 1024 * 1024;

    public const int BodyBytes = 4 * 1024 * 1024;
}
