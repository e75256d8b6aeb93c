// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary><c>POST /v1/client/credentials</c>: a client node asks a server node for what lets its products' agents in. For whom is said by its certificate alone.</summary>
/// <param name="Keys">A public key for each product, SubjectPublicKeyInfo. The private ones stay where they are.</param>
internal sealed record CredentialsAsked(IReadOnlyDictionary<string, byte[]> Keys);

/// <param name="Products">By product.</param>
internal sealed record CredentialsGiven(IReadOnlyDictionary<string, GivenCredentials> Products);

/// <summary>What a client node gets for one product.</summary>
/// <param name="Certificate">As PEM; it names a client and this node, never a server.</param>
/// <param name="Gossip">The key of the product's gossip; null where its clients take no part in it.</param>
/// <param name="Tokens">By name.</param>
/// <param name="Digest">Names all of it, as on server nodes (<c>ClusterTrust.Digest</c>): a client node does not know the versions of secrets.</param>
internal sealed record GivenCredentials(string Certificate, string? Gossip, IReadOnlyDictionary<string, string> Tokens, string Digest = "")
{
    /// <summary>The token for all that the node's own agents do; others have the names that agents of server nodes know them by.</summary>
    public const string Own = "own";
}

/// <summary>
/// <c>POST /v1/client/proof</c>: a client node asks whether a server still leads. The proof is a write that changes nothing, and needs a right that a client node does not have.
/// </summary>
/// <param name="Server">Id of the node whose scheduler server is meant.</param>
internal sealed record ProofAsked(string Server);

/// <param name="Why">Why it does not lead, or cannot be asked; empty when it leads.</param>
internal sealed record ProofGiven(bool Leads, string Why);

/// <summary>
/// <c>POST /v1/client/certificate</c>: a client node asks for a new peer certificate. Without TLS of its own, so that it may ask when the old one has ended. Whoever repeats the
/// request gets a certificate for a key that he does not have.
/// </summary>
/// <param name="Certificate">The old one, as PEM: it says whom the cluster let in.</param>
/// <param name="Signed">The node's signature over it.</param>
internal sealed record CertificateAsked(string Certificate, EntrySignature Signed);

internal sealed record CertificateGiven(string Certificate);

/// <summary>What a server node does for client nodes with what only server nodes have.</summary>
internal interface IClientDesk
{
    /// <param name="node">The caller, as the membership has it: not removed, and with the key that it showed.</param>
    /// <param name="shown">The certificate that it showed.</param>
    /// <exception cref="ProblemException"><c>client/*</c>, <c>security/no-credentials</c>.</exception>
    Task<CredentialsGiven> GiveAsync(NodeEntry node, X509Certificate2 shown, CredentialsAsked asked, CancellationToken cancel);

    /// <exception cref="ProblemException"><c>client/*</c>.</exception>
    Task<ProofGiven> ProveAsync(NodeEntry node, ProofAsked asked, CancellationToken cancel);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(CredentialsAsked))]
[JsonSerializable(typeof(CredentialsGiven))]
[JsonSerializable(typeof(ProofAsked))]
[JsonSerializable(typeof(ProofGiven))]
[JsonSerializable(typeof(CertificateAsked))]
[JsonSerializable(typeof(CertificateGiven))]
internal sealed partial class ClientMessagesJson : JsonSerializerContext;
